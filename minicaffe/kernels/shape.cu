// CUDA half of shape.py.

KERNEL copy_rows(const real* x, real* y, Rows g, int n) {
  FOR(e, n) {
    const int row = e / g.length, j = e % g.length;
    y[g.y_start + row * g.y_step + j] = x[g.x_start + row * g.x_step + j];
  }
}

// Where element e of a box lies in the larger array.
__device__ int in_box(int e, const Box& g) {
  int row = e / g.length, at = g.start + e % g.length;
  at += row % g.d * g.d_step;
  row /= g.d;
  at += row % g.c * g.c_step;
  row /= g.c;
  return at + row / g.b * g.a_step + row % g.b * g.b_step;
}

KERNEL take_box(const real* x, real* y, Box g, int n) { FOR(e, n) y[e] = x[in_box(e, g)]; }

KERNEL put_box(const real* x, real* y, Box g, int n) { FOR(e, n) y[in_box(e, g)] = x[e]; }

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
