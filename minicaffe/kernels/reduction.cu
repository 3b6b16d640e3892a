// CUDA half of reduction.py: a block adds up a row, in double precision.

KERNEL sum_forward(const real* x, real* y, Matrix g, real coeff, int n) {
  FOR_BLOCK(r, n) {
    double total = 0;
    for (int j = threadIdx.x; j < g.length; j += BLOCK) total += x[r * g.length + j];
    total = block_sum(total);
    if (threadIdx.x == 0) y[r] = real(coeff * total);
  }
}

KERNEL size_forward(const real* x, real* y, Matrix g, real coeff, int n) {
  FOR_BLOCK(r, n) {
    double total = 0;
    for (int j = threadIdx.x; j < g.length; j += BLOCK) total += fabs(x[r * g.length + j]);
    total = block_sum(total);
    if (threadIdx.x == 0) y[r] = real(coeff * total);
  }
}

KERNEL square_forward(const real* x, real* y, Matrix g, real coeff, int n) {
  FOR_BLOCK(r, n) {
    double total = 0;
    for (int j = threadIdx.x; j < g.length; j += BLOCK) {
      const real value = x[r * g.length + j];
      total += value * value;
    }
    total = block_sum(total);
    if (threadIdx.x == 0) y[r] = real(coeff * total);
  }
}

KERNEL sum_backward(const real* dy, real* dx, Matrix g, real coeff, int n) {
  FOR(e, n) dx[e] = coeff * dy[e / g.length];
}

KERNEL size_backward(const real* x, const real* dy, real* dx, Matrix g, real coeff, int n) {
  FOR(e, n) {
    const real sign = x[e] > 0 ? real(1) : x[e] < 0 ? real(-1) : x[e];
    dx[e] = coeff * dy[e / g.length] * sign;
  }
}

KERNEL square_backward(const real* x, const real* dy, real* dx, Matrix g, real coeff, int n) {
  FOR(e, n) dx[e] = coeff * dy[e / g.length] * (x[e] + x[e]);
}
