// CUDA half of scale.py.

#include "divisor.cuh"
#include "vector.cuh"
#include "channel_sums.cuh"
#include "map.cuh"

// Which operand an element takes.
struct Operand {
  Divisor inner, size;
  __device__ explicit Operand(const Extent& g) : inner(g.inner), size(g.size) {}
  __device__ int operator()(int i) const { return i / inner % size; }
};

KERNEL scale_forward(const real* x, const real* scale, real* y, Extent g, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) { return v * scale[of(i)]; }, x);
}

KERNEL scale_bias_forward(const real* x, const real* scale, const real* bias, real* y, Extent g, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) {
    const int j = of(i);
    return v * scale[j] + bias[j];
  }, x);
}

KERNEL bias_forward(const real* x, const real* bias, real* y, Extent g, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) { return v + bias[of(i)]; }, x);
}

KERNEL scale_gradient(const real* x, const real* dy, real* dscale, Extent g, int add, int n) {
  FOR_BLOCK(j, n) {
    const real total = channel_sum(g.outer, g.size, g.inner, j, [](real above, real v) { return above * v; }, dy, x);
    if (threadIdx.x == 0) dscale[j] = add ? dscale[j] + total : total;
  }
}

KERNEL bias_gradient(const real* dy, real* dbias, Extent g, int add, int n) {
  FOR_BLOCK(j, n) {
    const real total = channel_sum(g.outer, g.size, g.inner, j, [](real v) { return v; }, dy);
    if (threadIdx.x == 0) dbias[j] = add ? dbias[j] + total : total;
  }
}
