// CUDA half of memory.py.

KERNEL fill(real* y, real value, int count, int n) {
  FOR(i, n) y[i] = value;
}

KERNEL fill_words(int* y, int value, int count, int n) {
  FOR(i, n) y[i] = value;
}

KERNEL convert(const int* x, real* y, int count, int n) {
  FOR(i, n) y[i] = x[i];
}

KERNEL subtract_from(const real* x, real* y, int count, int n) {
  FOR(i, n) y[i] = x[i] - y[i];
}

KERNEL add_to(const real* x, double* total, int count, int n) {
  FOR(i, n) total[i] += x[i];
}
