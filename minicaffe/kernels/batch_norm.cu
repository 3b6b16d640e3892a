// CUDA half of batch_norm.py: a block works on one channel.

#include "divisor.cuh"
#include "vector.cuh"
#include "channel_sums.cuh"
#include "map.cuh"

// The channel of an element.
struct Channel {
  Divisor inner, channels;
  __device__ explicit Channel(const Channels& g) : inner(g.inner), channels(g.channels) {}
  __device__ int operator()(int i) const { return i / inner % channels; }
};

// Two sums at a time.
struct Pair { real a, b; };
__device__ Pair operator+(const Pair& x, const Pair& y) { return {x.a + y.a, x.b + y.b}; }
__device__ Pair across(const Pair& x, int bits) { return {across(x.a, bits), across(x.b, bits)}; }

KERNEL channel_moments(const real* x, real* mean, real* variance, Channels g, int n) {
  const int count = g.n * g.inner;
  FOR_BLOCK(c, n) {
    const real m = channel_sum(g.n, g.channels, g.inner, c, [](real v) { return v; }, x) / count;
    const auto square = [=](real v) { return (v - m) * (v - m); };
    const real total = channel_sum(g.n, g.channels, g.inner, c, square, x);
    if (threadIdx.x == 0) {
      mean[c] = m;
      variance[c] = total / count;
    }
  }
}

KERNEL add_moments(const real* mean, const real* variance, real* means, real* variances, Channels g, real keep,
                   real unbias, int n) {
  FOR(c, n) {
    means[c] = keep * means[c] + mean[c];
    variances[c] = keep * variances[c] + unbias * variance[c];
  }
}

KERNEL add_factor(real* factor, real keep, int n) {
  FOR(i, n) factor[0] = keep * factor[0] + 1;
}

KERNEL running_moments(const real* means, const real* variances, const real* factor, real* mean, real* variance,
                       Channels g, int n) {
  const real scale = factor[0] == 0 ? real(0) : 1 / factor[0];
  FOR(c, n) {
    mean[c] = means[c] * scale;
    variance[c] = variances[c] * scale;
  }
}

KERNEL normalize(const real* x, const real* mean, const real* variance, real* y, Channels g, real eps, int n) {
  const Channel of(g);
  map(n, y, [=](int i, real v) {
    const int c = of(i);
    return (v - mean[c]) / sqrt(variance[c] + eps);
  }, x);
}

KERNEL normalize_backward(const real* variance, const real* dy, real* dx, Channels g, real eps, int n) {
  const Channel of(g);
  map(n, dx, [=](int i, real dv) { return dv / sqrt(variance[of(i)] + eps); }, dy);
}

KERNEL batch_norm_backward(const real* x, const real* mean, const real* variance, const real* dy, real* dx, Channels g,
                           real eps, int n) {
  const int count = g.n * g.inner;
  const Divisor inner(g.inner);
  FOR_BLOCK(c, n) {
    const real m = mean[c], inverse = 1 / sqrt(variance[c] + eps);
    const auto terms = [=](real v, real dv) { return Pair{dv, dv * ((v - m) * inverse)}; };
    const Pair sums = channel_sum(g.n, g.channels, g.inner, c, terms, x, dy);
    const real a = sums.a / count, b = sums.b / count;
    for (int t = threadIdx.x; t < count; t += BLOCK) {
      const int image = t / inner, i = (image * g.channels + c) * g.inner + t - image * g.inner;
      dx[i] = (dy[i] - a - b * ((x[i] - m) * inverse)) * inverse;
    }
  }
}
