// CUDA half of prelu.py.

#include "divisor.cuh"
#include "vector.cuh"
#include "channel_sums.cuh"
#include "map.cuh"

// Which slope an element takes.
struct Slope {
  bool shared;
  Divisor inner, channels;
  __device__ explicit Slope(const Planes& g) : shared(g.shared), inner(g.inner), channels(g.channels) {}
  __device__ int operator()(int i) const { return shared ? 0 : i / inner % channels; }
};

KERNEL prelu_forward(const real* x, const real* slope, real* y, Planes g, int n) {
  const Slope of(g);
  map(n, y, [=](int i, real v) { return v > 0 ? v : v * slope[of(i)]; }, x);
}

KERNEL prelu_backward(const real* x, const real* slope, const real* dy, real* dx, Planes g, int n) {
  const Slope of(g);
  map(n, dx, [=](int i, real v, real dv) { return v > 0 ? dv : dv * slope[of(i)]; }, x, dy);
}

KERNEL prelu_sums(const real* x, const real* dy, real* sums, Planes g, int n) {
  FOR_BLOCK(c, n) {
    const auto slope_part = [](real v, real dv) { return v > 0 ? real(0) : dv * v; };
    const real total = channel_sum(g.n, g.channels, g.inner, c, slope_part, x, dy);
    if (threadIdx.x == 0) sums[c] = total;
  }
}

KERNEL prelu_add_sums(const real* sums, real* dslope, Planes g, int n) {
  FOR(c, n) {
    real total = sums[c];
    if (g.shared)
      for (int other = 1; other < g.channels; ++other) total += sums[other];
    dslope[c] += total;
  }
}
