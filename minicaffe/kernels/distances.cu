// CUDA half of distances.py: forward one thread per pair, a gradient one per element of x.

KERNEL distance_forward(const real* x, const real* w, real* y, Rows g, int n) {
  FOR(pair, n) {
    const int i = pair / g.n, j = pair % g.n;
    real total = 0;
    for (int k = 0; k < g.length; ++k) {
      const real d = x[i * g.length + k] - w[j * g.length + k];
      total += g.absolute ? fabs(d) : d * d;
    }
    y[i * g.i_step + j * g.j_step] = total;
  }
}

KERNEL distance_gradient(const real* x, const real* w, const real* dy, real* dx, Rows g, int add, int n) {
  FOR(e, n) {
    const int i = e / g.length, k = e % g.length;
    real total = add ? dx[e] : real(0);
    for (int j = 0; j < g.n; ++j) {
      const real d = x[e] - w[j * g.length + k];
      total += dy[i * g.i_step + j * g.j_step] * (g.absolute ? real(d > 0) - real(d < 0) : d + d);
    }
    dx[e] = total;
  }
}
