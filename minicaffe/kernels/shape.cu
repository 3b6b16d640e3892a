// CUDA half of shape.py.

#include "divisor.cuh"
#include "vector.cuh"

template <int N> __device__ void copy_by(const real* x, real* y, const Rows& g) {
  const int vectors = g.length / N;
  const Divisor row_of(vectors);
  FOR(e, g.count * vectors) {
    const int row = e / row_of, j = (e - row * vectors) * N;
    store(load<N>(x + g.x_start + row * g.x_step + j), y + g.y_start + row * g.y_step + j);
  }
}

// Rows of images begin and end at multiples of WIDTH more often than not.
KERNEL copy_rows(const real* x, real* y, Rows g, int n) {
  if ((g.length | g.x_start | g.x_step | g.y_start | g.y_step) % WIDTH == 0 && aligned(x, y))
    copy_by<WIDTH>(x, y, g);
  else
    copy_by<1>(x, y, g);
}

// Where an element of a box lies in the larger array.
struct Inside {
  const Box g;
  const Divisor length, d, c, b;

  __device__ explicit Inside(const Box& g) : g(g), length(g.length), d(g.d), c(g.c), b(g.b) {}

  __device__ int operator()(int e) const {
    const int rows = e / length, upper = rows / d, outer = upper / c, i = outer / b;
    return g.start + i * g.a_step + (outer - i * g.b) * g.b_step + (upper - outer * g.c) * g.c_step +
           (rows - upper * g.d) * g.d_step + e - rows * g.length;
  }
};

KERNEL take_box(const real* x, real* y, Box g, int n) {
  const Inside inside(g);
  FOR(e, n) y[e] = x[inside(e)];
}

KERNEL put_box(const real* x, real* y, Box g, int n) {
  const Inside inside(g);
  FOR(e, n) y[inside(e)] = x[e];
}

KERNEL repeat_rows(const real* x, real* y, Repeats g, int n) {
  FOR(e, n) y[e] = x[e / (g.times * g.length) * g.length + e % g.length];
}

KERNEL sum_repeats(const real* dy, real* dx, Repeats g, int n) {
  FOR(e, n) {
    const real* first = dy + e / g.length * g.times * g.length + e % g.length;
    real total = 0;
    for (int t = 0; t < g.times; ++t) total += first[t * g.length];
    dx[e] = total;
  }
}
