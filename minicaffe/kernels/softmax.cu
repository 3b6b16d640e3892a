// CUDA half of softmax.py: a block works on one long column together, or each of its threads on a short one.

struct Share { int first, lane, lanes; };  // of a column: its first element (-1: no column left), who works on it

__device__ Share share(const Columns& g, int item) {
  const bool together = g.classes >= BLOCK;
  const int column = together ? item : item * BLOCK + threadIdx.x;
  if (column >= g.outer * g.inner) return {-1, 0, 1};
  const int first = column / g.inner * g.classes * g.inner + column % g.inner;
  return together ? Share{first, int(threadIdx.x), BLOCK} : Share{first, 0, 1};
}

KERNEL softmax_forward(const real* x, real* y, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first < 0) continue;  // only where threads work alone, without barriers
    real m = -REAL_MAX;
    for (int c = s.lane; c < g.classes; c += s.lanes) m = max(m, x[s.first + c * g.inner]);
    if (s.lanes > 1) m = block_max(m);
    real total = 0;
    for (int c = s.lane; c < g.classes; c += s.lanes) {
      const int k = s.first + c * g.inner;
      y[k] = exp(x[k] - m);
      total += y[k];
    }
    if (s.lanes > 1) total = block_sum(total);
    for (int c = s.lane; c < g.classes; c += s.lanes) y[s.first + c * g.inner] /= total;
  }
}

KERNEL softmax_backward(const real* y, const real* dy, real* dx, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first < 0) continue;
    real total = 0;
    for (int c = s.lane; c < g.classes; c += s.lanes) total += dy[s.first + c * g.inner] * y[s.first + c * g.inner];
    if (s.lanes > 1) total = block_sum(total);
    for (int c = s.lane; c < g.classes; c += s.lanes) {
      const int k = s.first + c * g.inner;
      dx[k] = y[k] * (dy[k] - total);
    }
  }
}
