// CUDA half of activation.py.

KERNEL relu_forward(const real* x, real* y, real slope, int n) {
  FOR(i, n) y[i] = x[i] <= 0 ? (slope != 0 ? x[i] * slope : real(0)) : x[i];
}

KERNEL relu_backward(const real* y, const real* dy, real* dx, real slope, int n) {
  FOR(i, n) dx[i] = y[i] > 0 ? dy[i] : dy[i] * slope;
}

KERNEL sigmoid_forward(const real* x, real* y, int n) {
  FOR(i, n) y[i] = 1 / (1 + exp(-x[i]));
}

KERNEL sigmoid_backward(const real* y, const real* dy, real* dx, int n) {
  FOR(i, n) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

KERNEL tanh_forward(const real* x, real* y, int n) {
  FOR(i, n) y[i] = tanh(x[i]);
}

KERNEL tanh_backward(const real* y, const real* dy, real* dx, int n) {
  FOR(i, n) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

KERNEL elu_forward(const real* x, real* y, real alpha, int n) {
  FOR(i, n) y[i] = x[i] > 0 ? x[i] : alpha * (exp(x[i]) - 1);
}

KERNEL elu_backward(const real* x, const real* y, const real* dy, real* dx, real alpha, int n) {
  FOR(i, n) dx[i] = x[i] > 0 ? dy[i] : dy[i] * (y[i] + alpha);
}

KERNEL swish_forward(const real* x, real* y, real* s, real beta, int n) {
  FOR(i, n) {
    s[i] = 1 / (1 + exp(-(beta * x[i])));
    y[i] = s[i] == 0 ? real(0) : x[i] * s[i];
  }
}

KERNEL swish_backward(const real* y, const real* s, const real* dy, real* dx, real beta, int n) {
  FOR(i, n) dx[i] = dy[i] * (beta * y[i] + s[i] * (1 - beta * y[i]));
}

KERNEL bnll_forward(const real* x, real* y, int n) {
  FOR(i, n) y[i] = log1p(exp(-fabs(x[i]))) + (x[i] <= 0 ? real(0) : x[i]);
}

KERNEL bnll_backward(const real* x, const real* dy, real* dx, int n) {
  FOR(i, n) dx[i] = dy[i] / (1 + exp(-x[i]));
}
