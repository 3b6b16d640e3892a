// CUDA half of batch_norm.py: a block works on one channel.

#include "divisor.cuh"
#include "vector.cuh"
#include "channel_sums.cuh"
#include "map.cuh"
#include "relu.cuh"

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
                   real first, real second, int n) {
  FOR(c, n) {
    means[c] = keep * means[c] + first * mean[c];
    variances[c] = keep * variances[c] + second * variance[c];
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

KERNEL fold(const real* before, const real* means, const real* variances, const real* factor, const real* scale,
            const real* bias, real* a, real* b, Channels g, real eps, int n) {
  const real part = factor[0] == 0 ? real(0) : 1 / factor[0];
  FOR(c, n) {
    a[c] = scale[c] / sqrt(variances[c] * part + eps);
    b[c] = bias[c] + (before[c] - means[c] * part) * a[c];
  }
}

// y of an element, before the ReLU, and dy where that is positive.
struct Affine {
  real mean, factor, summand;
  int relu;
  __device__ real operator()(real v) const { return (v - mean) * factor + summand; }
  __device__ real above(real v, real dv) const { return relu && !((*this)(v) > 0) ? dv * 0 : dv; }
};

KERNEL batch_norm_forward(const real* x, const real* mean, const real* variance, const real* scale, const real* bias,
                          real* y, Channels g, real eps, int relu, int n) {
  const Channel of(g);
  map(n, y, [=](int i, real v) {
    const int c = of(i);
    return rectified(Affine{mean[c], scale[c] / sqrt(variance[c] + eps), bias[c], relu}(v), relu);
  }, x);
}

KERNEL normalize_backward(const real* variance, const real* dy, real* dx, Channels g, real eps, int n) {
  const Channel of(g);
  map(n, dx, [=](int i, real dv) { return dv / sqrt(variance[of(i)] + eps); }, dy);
}

KERNEL batch_norm_backward(const real* x, const real* mean, const real* variance, const real* scale, const real* bias,
                           const real* dy, real* dx, real* dscale, real* dbias, Channels g, real eps, int relu,
                           Wanted wanted, int n) {
  const int count = g.n * g.inner;
  const Divisor inner(g.inner);
  FOR_BLOCK(c, n) {
    const real m = mean[c], deviation = sqrt(variance[c] + eps), inverse = 1 / deviation;
    const Affine y{m, scale[c] / deviation, bias[c], relu};
    const auto terms = [=](real v, real dv) {
      const real above = y.above(v, dv);
      return Pair{above, above * ((v - m) * inverse)};
    };
    const Pair sums = channel_sum(g.n, g.channels, g.inner, c, terms, x, dy);
    if (threadIdx.x == 0) {
      if (wanted.bias) dbias[c] += sums.a;
      if (wanted.scale) dscale[c] += sums.b;
    }
    const real p = g.fixed ? 0 : sums.a / count, q = g.fixed ? 0 : sums.b / count;
    for (int t = threadIdx.x; t < (wanted.x ? count : 0); t += BLOCK) {
      const int image = t / inner, i = (image * g.channels + c) * g.inner + t - image * g.inner;
      dx[i] = (y.above(x[i], dy[i]) - p - q * ((x[i] - m) * inverse)) * y.factor;
    }
  }
}
