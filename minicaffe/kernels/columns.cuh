// What the CUDA halves of softmax.py and loss.py share: columns of `classes` numbers, `inner` apart.  A block works on one long
// column together, a warp on one that lies in a piece, each thread on a short one whose elements lie apart.

// Of a column: which one, its first element (-1: no column left), who works on it.
struct Share { int column, first, lane, lanes; };

// `g` has outer, classes and inner.
template <typename G> __device__ Share share(const G& g, int item) {
  const int lanes = g.classes >= BLOCK ? BLOCK : g.inner == 1 ? LANES : 1;
  const int column = item * (BLOCK / lanes) + threadIdx.x / lanes, lane = threadIdx.x % lanes;
  if (column >= g.outer * g.inner) return {column, -1, lane, lanes};
  return {column, column / g.inner * g.classes * g.inner + column % g.inner, lane, lanes};
}

// What all who work on a column have together.
template <typename Join> __device__ real joined(const Share& s, real v, Join join) {
  return s.lanes == BLOCK ? block_joined(v, join) : s.lanes == LANES ? warp_joined(v, join) : v;
}

// y = exp(x - m) / sum of exp(x - m) over a column, m its maximum.  Lane c % lanes writes element c.
template <typename G> __device__ void normalize(const real* x, real* y, const Share& s, const G& g) {
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
