// CUDA half of scale.py.

#include "divisor.cuh"
#include "vector.cuh"
#include "channel_sums.cuh"
#include "map.cuh"
#include "relu.cuh"

// Which operand an element takes.
struct Operand {
  Divisor inner, size;
  __device__ explicit Operand(const Extent& g) : inner(g.inner), size(g.size) {}
  __device__ int operator()(int i) const { return i / inner % size; }
};

KERNEL scale_forward(const real* x, const real* scale, real* y, Extent g, int relu, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) { return rectified(v * scale[of(i)], relu); }, x);
}

KERNEL scale_bias_forward(const real* x, const real* scale, const real* bias, real* y, Extent g, int relu, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) {
    const int j = of(i);
    return rectified(v * scale[j] + bias[j], relu);
  }, x);
}

KERNEL bias_forward(const real* x, const real* bias, real* y, Extent g, int relu, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v) { return rectified(v + bias[of(i)], relu); }, x);
}

KERNEL scale_add_forward(const real* x, const real* scale, const real* summand, real* y, Extent g, int n) {
  const Operand of(g);
  map(n, y, [=](int i, real v, real w) { return v * scale[of(i)] + w; }, x, summand);
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

// As map does, a thread reads several elements before it writes the first.
KERNEL relu_bias_gradient(const real* y, real* dy, real* dbias, Extent g, int add, int n) {
  enum { EACH = 4 };
  const Divisor inner(g.inner);
  const int count = g.outer * g.inner;
  FOR_BLOCK(j, n) {
    real total = 0;
    for (int first = threadIdx.x; first < count; first += EACH * BLOCK) {
      int at[EACH];
      real value[EACH];
#pragma unroll
      for (int k = 0; k < EACH; ++k) {
        const int t = min(first + k * BLOCK, count - 1), o = t / inner;
        at[k] = (o * g.size + j) * g.inner + t - o * g.inner;
        value[k] = y[at[k]] > 0 ? dy[at[k]] : dy[at[k]] * 0;
      }
#pragma unroll
      for (int k = 0; k < EACH; ++k)
        if (first + k * BLOCK < count) total += dy[at[k]] = value[k];
    }
    total = block_sum(total);
    if (threadIdx.x == 0) dbias[j] = add ? dbias[j] + total : total;
  }
}
