// CUDA half of resize.py: forward one thread per output, backward one per input, gathering.

__device__ real between(real first, real second, real share) {
  return share != 0 ? first + (second - first) * share : first;
}

KERNEL resize_forward(const real* x, real* y, const int* rows, const int* columns, const real* down, const real* across,
                      Sizes g, int n) {
  FOR(o, n) {
    const int c = o % g.inner, j = o / g.inner % g.ow, i = o / (g.inner * g.ow) % g.oh;
    const real* image = x + o / (g.inner * g.ow * g.oh) * g.h * g.w * g.inner + c;
    const real *above = image + rows[2 * i] * g.w * g.inner, *below = image + rows[2 * i + 1] * g.w * g.inner;
    const int left = columns[2 * j] * g.inner, right = columns[2 * j + 1] * g.inner;
    const real upper = between(above[left], above[right], across[j]);
    const real lower = between(below[left], below[right], across[j]);
    y[o] = between(upper, lower, down[i]);
  }
}

__device__ real weight(int at, const int* table, const real* shares, int o) {
  return (table[2 * o] == at ? 1 - shares[o] : real(0)) + (table[2 * o + 1] == at ? shares[o] : real(0));
}

KERNEL resize_backward(const real* dy, real* dx, const int* rows, const int* columns, const real* down,
                       const real* across, const int* row_uses, const int* column_uses, Sizes g, int n) {
  FOR(e, n) {
    const int c = e % g.inner, s = e / g.inner % g.w, r = e / (g.inner * g.w) % g.h;
    const real* slopes = dy + e / (g.inner * g.w * g.h) * g.oh * g.ow * g.inner + c;
    real total = 0;
    for (int i = row_uses[2 * r]; i <= row_uses[2 * r + 1]; ++i) {
      const real vertical = weight(r, rows, down, i);
      for (int j = column_uses[2 * s]; j <= column_uses[2 * s + 1]; ++j)
        total += vertical * weight(s, columns, across, j) * slopes[(i * g.ow + j) * g.inner];
    }
    dx[e] = total;
  }
}
