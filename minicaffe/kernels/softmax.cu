// CUDA half of softmax.py: a block works on one long column together, a warp on one that lies in a piece, each thread on a
// short one whose elements lie apart.

struct Share { int first, lane, lanes; };  // of a column: its first element (-1: no column left), who works on it

__device__ Share share(const Columns& g, int item) {
  const int lanes = g.classes >= BLOCK ? BLOCK : g.inner == 1 ? LANES : 1;
  const int column = item * (BLOCK / lanes) + threadIdx.x / lanes, lane = threadIdx.x % lanes;
  if (column >= g.outer * g.inner) return {-1, 0, lanes};
  return {column / g.inner * g.classes * g.inner + column % g.inner, lane, lanes};
}

// What all who work on a column have together.
template <typename Join> __device__ real joined(const Share& s, real v, Join join) {
  return s.lanes == BLOCK ? block_joined(v, join) : s.lanes == LANES ? warp_joined(v, join) : v;
}

KERNEL softmax_forward(const real* x, real* y, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first < 0) continue;  // whole warps, or threads that work alone: nobody waits for them
    real m = -REAL_MAX;
    for (int c = s.lane; c < g.classes; c += s.lanes) m = max(m, x[s.first + c * g.inner]);
    m = joined(s, m, Greater());
    real total = 0;
    for (int c = s.lane; c < g.classes; c += s.lanes) {
      const int k = s.first + c * g.inner;
      y[k] = exp(x[k] - m);
      total += y[k];
    }
    total = joined(s, total, Plus());
    for (int c = s.lane; c < g.classes; c += s.lanes) y[s.first + c * g.inner] /= total;
  }
}

KERNEL softmax_backward(const real* y, const real* dy, real* dx, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first < 0) continue;
    real total = 0;
    for (int c = s.lane; c < g.classes; c += s.lanes) total += dy[s.first + c * g.inner] * y[s.first + c * g.inner];
    total = joined(s, total, Plus());
    for (int c = s.lane; c < g.classes; c += s.lanes) {
      const int k = s.first + c * g.inner;
      dx[k] = y[k] * (dy[k] - total);
    }
  }
}
