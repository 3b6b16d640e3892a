// CUDA half of smooth_l1.py.

#include "partial_sums.cuh"

// f and its derivative, by d.
__device__ real distance(real d, real s) { return fabs(d) * s < 1 ? real(0.5) * s * d * d : fabs(d) - real(0.5) / s; }
__device__ real derivative(real d, real s) { return fabs(d) * s < 1 ? s * d : d > 0 ? real(1) : real(-1); }

KERNEL smooth_l1_forward(const real* x, const real* t, const real* inside, const real* outside, real* slope, real* each,
                         real* sums, int* tally, real* y, real* outcome, int* noted, real* value, Distances g, real s,
                         real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, start = i / g.inner * g.channels * g.inner + i % g.inner;
      real part = 0;
      for (int c = 0; c < g.channels; ++c) {
        const int k = start + c * g.inner;
        const real w = g.inside ? inside[k] : real(1), factor = g.outside ? outside[k] : real(1);
        const real d = w * (x[k] - t[k]);
        part += factor * distance(d, s);
        slope[k] = factor * w * derivative(d, s);
      }
      if (g.each) each[i] = part;
      total += part;
    }
    leave(chunk, total, threadIdx.x == 0 ? max(size, 0) : 0, NONE, sums, tally);
  }
  conclude(t, sums, tally, y, outcome, noted, value, fixed, n);
}

// The gradient that comes to the position of element k.
__device__ real above(int k, const real* dloss, const real* divisor, const real* deach, const Distances& g) {
  const real factor = dloss[0] / divisor[0];
  return g.each ? factor + deach[k / (g.channels * g.inner) * g.inner + k % g.inner] : factor;
}

KERNEL smooth_l1_backward(const real* slope, const real* dloss, const real* divisor, const real* deach, real* dx,
                          Distances g, real sign, int n) {
  FOR(k, n) dx[k] = sign * slope[k] * above(k, dloss, divisor, deach, g);
}

KERNEL smooth_l1_weights_backward(const real* x, const real* t, const real* inside, const real* outside,
                                  const real* dloss, const real* divisor, const real* deach, real* dw, Distances g,
                                  real s, int outer, int n) {
  FOR(k, n) {
    const real d = inside[k] * (x[k] - t[k]), step = above(k, dloss, divisor, deach, g);
    if (outer) dw[k] = step * distance(d, s);
    else dw[k] = step * derivative(d, s) * (x[k] - t[k]) * (g.outside ? outside[k] : real(1));
  }
}
