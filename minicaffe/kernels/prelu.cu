// CUDA half of prelu.py.

__device__ int slope_of(int i, const Planes& g) { return g.shared ? 0 : i / g.inner % g.channels; }

KERNEL prelu_forward(const real* x, const real* slope, real* y, Planes g, int n) {
  FOR(i, n) y[i] = x[i] > 0 ? x[i] : x[i] * slope[slope_of(i, g)];
}

KERNEL prelu_backward(const real* x, const real* slope, const real* dy, real* dx, Planes g, int n) {
  FOR(i, n) dx[i] = x[i] > 0 ? dy[i] : dy[i] * slope[slope_of(i, g)];
}

KERNEL prelu_sums(const real* x, const real* dy, real* sums, Planes g, int n) {
  FOR_BLOCK(c, n) {
    real total = 0;
    for (int image = 0; image < g.n; ++image)
      for (int o = threadIdx.x; o < g.inner; o += BLOCK) {
        int i = (image * g.channels + c) * g.inner + o;
        total += x[i] > 0 ? real(0) : dy[i] * x[i];
      }
    total = block_sum(total);
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
