// CUDA half of dense_block.py.

#include "philox.cuh"

__device__ int opposite(int i, int taps) { return i / taps * taps + taps - 1 - i % taps; }

__device__ real divisor_of(const real* factor) { return factor[0] != 0 ? factor[0] : real(1); }

KERNEL turn_filters(const real* w, real* turned, int taps, int n) { FOR(i, n) turned[i] = w[opposite(i, taps)]; }

KERNEL add_turned(const real* turned, real* dw, int taps, int n) { FOR(i, n) dw[i] += turned[opposite(i, taps)]; }

KERNEL mix_moments(const real* mean, const real* variance, real* means, real* variances, const real* factor, Channels g,
                   real part, real unbias, int n) {
  const real f = divisor_of(factor);
  FOR(c, n) {
    means[c] += part * (f * mean[c] - means[c]);
    variances[c] += part * (f * (unbias * variance[c]) - variances[c]);
  }
}

KERNEL kept_moments(const real* means, const real* variances, const real* factor, real* mean, real* variance, Channels g,
                    int n) {
  const real f = divisor_of(factor);
  FOR(c, n) {
    mean[c] = means[c] / f;
    variance[c] = variances[c] / f;
  }
}

KERNEL drop_part(const real* x, real* y, const unsigned* stream, Part g, real ratio, real scale, int n) {
  const unsigned long long limit = (unsigned long long)(ratio * 4294967296.0 + 0.5);
  FOR(i, n) {
    const int sample = i / g.width, j = i % g.width, e = g.first + j;
    const unsigned long long number = (unsigned long long)stream[2] * g.n + sample;
    unsigned words[4] = {unsigned(e / 4), unsigned(number), unsigned(number >> 32), 0};
    philox(words, stream[0], stream[1]);
    const unsigned word = e % 4 == 0 ? words[0] : e % 4 == 1 ? words[1] : e % 4 == 2 ? words[2] : words[3];
    y[sample * g.y_step + j] = word >= limit ? x[sample * g.x_step + j] * scale : real(0);
  }
}
