// CUDA half of exponential.py.

KERNEL exp_forward(const real* x, real* y, real inner, real outer, int n) {
  FOR(i, n) y[i] = outer * exp(inner * x[i]);
}

KERNEL exp_backward(const real* y, const real* dy, real* dx, real inner, int n) {
  FOR(i, n) dx[i] = dy[i] * (y[i] * inner);
}

KERNEL log_forward(const real* x, real* y, real scale, real shift, real outer, int n) {
  FOR(i, n) y[i] = outer * log(shift + scale * x[i]);
}

KERNEL log_backward(const real* x, const real* dy, real* dx, real scale, real shift, real outer, int n) {
  FOR(i, n) dx[i] = dy[i] * (outer * scale) / (shift + scale * x[i]);
}
