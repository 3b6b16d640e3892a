// CUDA half of eltwise.py.

KERNEL sum_pair(const real* a, const real* b, real* y, real ca, real cb, int n) {
  FOR(i, n) y[i] = ca * a[i] + cb * b[i];
}

KERNEL sum_add(const real* x, real* y, real c, int n) {
  FOR(i, n) y[i] += c * x[i];
}

KERNEL sum_backward(const real* dy, real* dx, real c, int n) {
  FOR(i, n) dx[i] = c * dy[i];
}

KERNEL product_pair(const real* a, const real* b, real* y, int n) {
  FOR(i, n) y[i] = a[i] * b[i];
}

KERNEL product_multiply(const real* x, real* y, int n) {
  FOR(i, n) y[i] *= x[i];
}

KERNEL product_backward(const real* x, const real* y, const real* dy, real* dx, int n) {
  FOR(i, n) dx[i] = dy[i] * (y[i] / x[i]);
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
