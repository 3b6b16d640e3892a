// CUDA half of reindex.py.

#define NONE 2147483647

KERNEL read_index(const real* index, int* picked, int* position, real* value, Picks g, int n) {
  FOR_BLOCK(one, n) {
    int first = NONE;
    for (int i = threadIdx.x; i < g.count; i += BLOCK) {
      const bool inside = index[i] > -1 && index[i] < g.rows;
      picked[i] = inside ? int(index[i]) : -1;
      if (!inside) first = min(first, i);
    }
    first = -block_max(-first);
    if (threadIdx.x == 0 && position[0] == NONE && first != NONE) {
      position[0] = first;
      value[0] = index[first];
    }
  }
}

KERNEL take_rows(const real* x, const int* picked, real* y, real absent, Picks g, int n) {
  FOR(e, n) {
    const int row = picked[e / g.length];
    y[e] = row < 0 ? absent : x[row * g.length + e % g.length];
  }
}

KERNEL return_rows(const real* dy, const int* picked, real* dx, Picks g, int n) {
  FOR(e, n) {
    const int row = e / g.length, j = e % g.length;
    real total = 0;
    for (int i = 0; i < g.count; ++i)
      if (picked[i] == row) total += dy[i * g.length + j];
    dx[e] = total;
  }
}
