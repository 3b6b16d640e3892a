// CUDA half of piecewise.py.

KERNEL abs_forward(const real* x, real* y, int n) {
  FOR(i, n) y[i] = fabs(x[i]);
}

KERNEL abs_backward(const real* x, const real* dy, real* dx, int n) {
  FOR(i, n) dx[i] = (x[i] > 0 ? dy[i] : real(0)) - (x[i] < 0 ? dy[i] : real(0));
}

KERNEL clip_forward(const real* x, real* y, real low, real high, int n) {
  FOR(i, n) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

KERNEL clip_backward(const real* x, const real* dy, real* dx, real low, real high, int n) {
  FOR(i, n) dx[i] = low <= x[i] && x[i] <= high ? dy[i] : real(0);
}

KERNEL threshold_forward(const real* x, real* y, real threshold, int n) {
  FOR(i, n) y[i] = x[i] > threshold ? real(1) : real(0);
}
