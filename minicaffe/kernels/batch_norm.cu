// CUDA half of batch_norm.py: a block works on one channel.

// Element t of the n * inner ones of channel c.
__device__ int element_of(int t, int c, const Channels& g) { return (t / g.inner * g.channels + c) * g.inner + t % g.inner; }

__device__ int channel_of(int i, const Channels& g) { return i / g.inner % g.channels; }

KERNEL channel_moments(const real* x, real* mean, real* variance, Channels g, int n) {
  const int count = g.n * g.inner;
  FOR_BLOCK(c, n) {
    real total = 0;
    for (int t = threadIdx.x; t < count; t += BLOCK) total += x[element_of(t, c, g)];
    const real m = block_sum(total) / count;
    total = 0;
    for (int t = threadIdx.x; t < count; t += BLOCK) {
      const real away = x[element_of(t, c, g)] - m;
      total += away * away;
    }
    total = block_sum(total);
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
  FOR(i, n) {
    const int c = channel_of(i, g);
    y[i] = (x[i] - mean[c]) / sqrt(variance[c] + eps);
  }
}

KERNEL normalize_backward(const real* variance, const real* dy, real* dx, Channels g, real eps, int n) {
  FOR(i, n) dx[i] = dy[i] / sqrt(variance[channel_of(i, g)] + eps);
}

KERNEL batch_norm_backward(const real* x, const real* mean, const real* variance, const real* dy, real* dx, Channels g,
                           real eps, int n) {
  const int count = g.n * g.inner;
  FOR_BLOCK(c, n) {
    const real m = mean[c], inverse = 1 / sqrt(variance[c] + eps);
    real a = 0, b = 0;
    for (int t = threadIdx.x; t < count; t += BLOCK) {
      const int i = element_of(t, c, g);
      a += dy[i];
      b += dy[i] * ((x[i] - m) * inverse);
    }
    a = block_sum(a) / count;
    b = block_sum(b) / count;
    for (int t = threadIdx.x; t < count; t += BLOCK) {
      const int i = element_of(t, c, g);
      dx[i] = (dy[i] - a - b * ((x[i] - m) * inverse)) * inverse;
    }
  }
}
