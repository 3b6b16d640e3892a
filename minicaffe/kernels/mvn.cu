// CUDA half of mvn.py: a block works on one row.

KERNEL mvn_forward(const real* x, real* y, real* deviation, Normal g, real eps, int n) {
  FOR_BLOCK(r, n) {
    const int first = r * g.length, last = first + g.length;
    real total = 0;
    for (int i = first + threadIdx.x; i < last; i += BLOCK) total += x[i];
    const real mean = block_sum(total) / g.length;
    total = 0;
    for (int i = first + threadIdx.x; i < last; i += BLOCK) total += (x[i] - mean) * (x[i] - mean);
    total = block_sum(total);
    const real spread = g.scaled ? sqrt(total / g.length) + eps : real(1);
    for (int i = first + threadIdx.x; i < last; i += BLOCK) y[i] = (x[i] - mean) / spread;
    if (threadIdx.x == 0) deviation[r] = spread;
  }
}

KERNEL mvn_backward(const real* y, const real* deviation, const real* dy, real* dx, Normal g, int n) {
  FOR_BLOCK(r, n) {
    const int first = r * g.length, last = first + g.length;
    real a = 0, b = 0;
    for (int i = first + threadIdx.x; i < last; i += BLOCK) {
      a += dy[i];
      if (g.scaled) b += dy[i] * y[i];
    }
    a = block_sum(a) / g.length;
    b = block_sum(b) / g.length;
    for (int i = first + threadIdx.x; i < last; i += BLOCK)
      dx[i] = g.scaled ? (dy[i] - a - y[i] * b) / deviation[r] : dy[i] - a;
  }
}
