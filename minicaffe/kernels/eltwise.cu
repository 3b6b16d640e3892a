// CUDA half of eltwise.py.

#include "map.cuh"
#include "relu.cuh"

KERNEL sum_pair(const real* a, const real* b, real* y, real ca, real cb, int relu, int n) {
  map(n, y, [=](int, real u, real v) { return rectified(ca * u + cb * v, relu); }, a, b);
}

KERNEL sum_add(const real* x, real* y, real c, int relu, int n) {
  map(n, y, [=](int, real u, real v) { return rectified(u + c * v, relu); }, y, x);
}

// What is not asked for is not read: dy stands for y, and for dx.
KERNEL sum_backward(const real* y, const real* dy, real* dx, real c, int relu, int add, int n) {
  map(n, dx, [=](int, real v, real dv, real before) {
    const real value = c * (relu && !(v > 0) ? dv * 0 : dv);
    return add ? before + value : value;
  }, relu ? y : dy, dy, add ? dx : dy);
}

KERNEL product_pair(const real* a, const real* b, real* y, int relu, int n) {
  map(n, y, [=](int, real u, real v) { return rectified(u * v, relu); }, a, b);
}

KERNEL product_multiply(const real* x, real* y, int relu, int n) {
  map(n, y, [=](int, real u, real v) { return rectified(u * v, relu); }, y, x);
}

KERNEL product_backward(const real* x, const real* y, const real* dy, real* dx, int n) {
  map(n, dx, [](int, real u, real v, real dv) { return dv * (v / u); }, x, y, dy);
}

KERNEL max_pair(const real* a, const real* b, real* y, int* mask, int relu, int n) {
  FOR(i, n) {
    const bool first = a[i] > b[i];
    const real value = first ? a[i] : b[i];
    y[i] = rectified(value, relu);
    mask[i] = relu && !(value > 0) ? -1 : first ? 0 : 1;
  }
}

KERNEL max_replace(const real* x, real* y, int* mask, int index, int relu, int n) {
  FOR(i, n) {
    const bool wins = x[i] > y[i];
    const real value = wins ? x[i] : y[i];
    y[i] = rectified(value, relu);
    mask[i] = relu && !(value > 0) ? -1 : wins ? index : mask[i];
  }
}

KERNEL max_backward(const real* dy, const int* mask, real* dx, int index, int add, int n) {
  FOR(i, n) {
    const real value = mask[i] == index ? dy[i] : real(0);
    dx[i] = add ? dx[i] + value : value;
  }
}
