// CUDA half of dense_block.py.

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
