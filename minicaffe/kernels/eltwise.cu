// CUDA half of eltwise.py.

#include "map.cuh"

KERNEL sum_pair(const real* a, const real* b, real* y, real ca, real cb, int n) {
  map(n, y, [=](int, real u, real v) { return ca * u + cb * v; }, a, b);
}

KERNEL sum_add(const real* x, real* y, real c, int n) {
  map(n, y, [=](int, real u, real v) { return u + c * v; }, y, x);
}

KERNEL sum_backward(const real* dy, real* dx, real c, int n) {
  map(n, dx, [=](int, real dv) { return c * dv; }, dy);
}

KERNEL product_pair(const real* a, const real* b, real* y, int n) {
  map(n, y, [](int, real u, real v) { return u * v; }, a, b);
}

KERNEL product_multiply(const real* x, real* y, int n) {
  map(n, y, [](int, real u, real v) { return u * v; }, y, x);
}

KERNEL product_backward(const real* x, const real* y, const real* dy, real* dx, int n) {
  map(n, dx, [](int, real u, real v, real dv) { return dv * (v / u); }, x, y, dy);
}

KERNEL max_pair(const real* a, const real* b, real* y, int* mask, int n) {
  FOR(i, n) {
    const bool first = a[i] > b[i];
    y[i] = first ? a[i] : b[i];
    mask[i] = first ? 0 : 1;
  }
}

KERNEL max_replace(const real* x, real* y, int* mask, int index, int n) {
  FOR(i, n) {
    if (x[i] > y[i]) {
      y[i] = x[i];
      mask[i] = index;
    }
  }
}

KERNEL max_backward(const real* dy, const int* mask, real* dx, int index, int n) {
  FOR(i, n) dx[i] = mask[i] == index ? dy[i] : real(0);
}
