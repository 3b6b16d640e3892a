// CUDA half of activation.py.

#include "map.cuh"

KERNEL relu_forward(const real* x, real* y, real slope, int n) {
  map(n, y, [=](int, real v) { return v <= 0 ? (slope != 0 ? v * slope : real(0)) : v; }, x);
}

KERNEL relu_backward(const real* y, const real* dy, real* dx, real slope, int n) {
  map(n, dx, [=](int, real v, real dv) { return v > 0 ? dv : dv * slope; }, y, dy);
}

KERNEL sigmoid_forward(const real* x, real* y, int n) {
  map(n, y, [](int, real v) { return 1 / (1 + exp(-v)); }, x);
}

KERNEL sigmoid_backward(const real* y, const real* dy, real* dx, int n) {
  map(n, dx, [](int, real v, real dv) { return dv * v * (1 - v); }, y, dy);
}

KERNEL tanh_forward(const real* x, real* y, int n) {
  map(n, y, [](int, real v) { return tanh(v); }, x);
}

KERNEL tanh_backward(const real* y, const real* dy, real* dx, int n) {
  map(n, dx, [](int, real v, real dv) { return dv * (1 - v * v); }, y, dy);
}

KERNEL elu_forward(const real* x, real* y, real alpha, int n) {
  map(n, y, [=](int, real v) { return v > 0 ? v : alpha * (exp(v) - 1); }, x);
}

KERNEL elu_backward(const real* x, const real* y, const real* dy, real* dx, real alpha, int n) {
  map(n, dx, [=](int, real v, real w, real dw) { return v > 0 ? dw : dw * (w + alpha); }, x, y, dy);
}

KERNEL swish_forward(const real* x, real* y, real* s, real beta, int n) {
  FOR(i, n) {
    const real v = x[i], gate = 1 / (1 + exp(-(beta * v)));
    s[i] = gate;
    y[i] = gate == 0 ? real(0) : v * gate;
  }
}

KERNEL swish_backward(const real* y, const real* s, const real* dy, real* dx, real beta, int n) {
  map(n, dx, [=](int, real v, real gate, real dv) { return dv * (beta * v + gate * (1 - beta * v)); }, y, s, dy);
}

KERNEL bnll_forward(const real* x, real* y, int n) {
  map(n, y, [](int, real v) { return log1p(exp(-fabs(v))) + (v <= 0 ? real(0) : v); }, x);
}

KERNEL bnll_backward(const real* x, const real* dy, real* dx, int n) {
  map(n, dx, [](int, real v, real dv) { return dv / (1 + exp(-v)); }, x, dy);
}
