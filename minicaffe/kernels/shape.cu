// CUDA half of shape.py.

KERNEL copy_rows(const real* x, real* y, Rows g, int n) {
  FOR(e, n) {
    const int row = e / g.length, j = e % g.length;
    y[g.y_start + row * g.y_step + j] = x[g.x_start + row * g.x_step + j];
  }
}
