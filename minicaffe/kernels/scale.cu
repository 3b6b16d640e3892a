// CUDA half of scale.py.

__device__ int operand_of(int i, const Extent& g) { return i / g.inner % g.size; }

// Element t of the outer * inner ones that share operand j.
__device__ int element_of(int t, int j, const Extent& g) { return (t / g.inner * g.size + j) * g.inner + t % g.inner; }

KERNEL scale_forward(const real* x, const real* scale, real* y, Extent g, int n) {
  FOR(i, n) y[i] = x[i] * scale[operand_of(i, g)];
}

KERNEL scale_bias_forward(const real* x, const real* scale, const real* bias, real* y, Extent g, int n) {
  FOR(i, n) y[i] = x[i] * scale[operand_of(i, g)] + bias[operand_of(i, g)];
}

KERNEL bias_forward(const real* x, const real* bias, real* y, Extent g, int n) {
  FOR(i, n) y[i] = x[i] + bias[operand_of(i, g)];
}

KERNEL scale_gradient(const real* x, const real* dy, real* dscale, Extent g, int add, int n) {
  FOR_BLOCK(j, n) {
    real total = 0;
    for (int t = threadIdx.x; t < g.outer * g.inner; t += BLOCK) {
      int i = element_of(t, j, g);
      total += dy[i] * x[i];
    }
    total = block_sum(total);
    if (threadIdx.x == 0) dscale[j] = add ? dscale[j] + total : total;
  }
}

KERNEL bias_gradient(const real* dy, real* dbias, Extent g, int add, int n) {
  FOR_BLOCK(j, n) {
    real total = 0;
    for (int t = threadIdx.x; t < g.outer * g.inner; t += BLOCK) total += dy[element_of(t, j, g)];
    total = block_sum(total);
    if (threadIdx.x == 0) dbias[j] = add ? dbias[j] + total : total;
  }
}
