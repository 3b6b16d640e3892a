// CUDA half of lrn.py: one thread per element, summing its neighbourhood.

// The lines and columns near element `e` of a group.
struct Near { int first_line, last_line, first_column, last_column; };
__device__ Near neighbourhood(const Lrn& g, int e) {
  const int i = e / g.w, j = e % g.w;
  return {max(i - g.lines, 0), min(i + g.lines + 1, g.h), max(j - g.columns, 0), min(j + g.columns + 1, g.w)};
}

__device__ real power(real base, real beta) {
  if (beta != real(0.75)) return pow(base, beta);
  const real root = sqrt(base);
  return root * sqrt(root);
}

KERNEL lrn_forward(const real* x, real* y, real* inverse, Lrn g, real k, real alpha, real beta, int n) {
  const int size = g.h * g.w;
  FOR(e, n) {
    const Near near = neighbourhood(g, e % size);
    const real* group = x + e / size * size;
    real total = 0;
    for (int i = near.first_line; i < near.last_line; ++i)
      for (int j = near.first_column; j < near.last_column; ++j) total += group[i * g.w + j] * group[i * g.w + j];
    inverse[e] = 1 / (k + alpha * total);
    y[e] = x[e] * power(inverse[e], beta);
  }
}

KERNEL lrn_backward(const real* x, const real* y, const real* inverse, const real* dy, real* dx, Lrn g, real factor,
                    real beta, int n) {
  const int size = g.h * g.w;
  FOR(e, n) {
    const Near near = neighbourhood(g, e % size);
    const int group = e / size * size;
    real total = 0;
    for (int i = near.first_line; i < near.last_line; ++i)
      for (int j = near.first_column; j < near.last_column; ++j) {
        const int other = group + i * g.w + j;
        total += dy[other] * y[other] * inverse[other];
      }
    dx[e] = dy[e] * power(inverse[e], beta) - factor * x[e] * total;
  }
}
