// CUDA half of one_hot.py.

KERNEL one_hot(const int* picked, real* y, real absent, Picks g, int n) {
  FOR(e, n) {
    const int row = picked[e / g.rows];
    y[e] = row < 0 ? absent : real(e % g.rows == row);
  }
}
