// CUDA half of resample.py: forward one thread per output, backward one per input, gathering.

KERNEL resample_forward(const real* x, real* y, const int* rows, const int* columns, const real* down,
                        const real* across, Taps g, int n) {
  FOR(o, n) {
    const int j = o % g.ow, i = o / g.ow % g.oh;
    const real* start = x + (o / (g.oh * g.ow) * g.h + rows[i]) * g.w + columns[j];
    real total = 0;
    for (int a = 0; a < g.kh; ++a)
      for (int b = 0; b < g.kw; ++b) {
        const real share = down[i * g.kh + a] * across[j * g.kw + b];
        if (share != 0) total += share * start[a * g.w + b];
      }
    y[o] = total;
  }
}

// What input `at` counts in output o.
__device__ real weight(int at, const int* first, const real* shares, int o, int taps) {
  const int tap = at - first[o];
  return tap >= 0 && tap < taps ? shares[o * taps + tap] : real(0);
}

KERNEL resample_backward(const real* dy, real* dx, const int* rows, const int* columns, const real* down,
                         const real* across, const int* row_uses, const int* column_uses, Taps g, int n) {
  FOR(e, n) {
    const int s = e % g.w, r = e / g.w % g.h;
    const real* slopes = dy + e / (g.h * g.w) * g.oh * g.ow;
    real total = 0;
    for (int i = row_uses[2 * r]; i <= row_uses[2 * r + 1]; ++i) {
      const real vertical = weight(r, rows, down, i, g.kh);
      for (int j = column_uses[2 * s]; j <= column_uses[2 * s + 1]; ++j) {
        const real share = vertical * weight(s, columns, across, j, g.kw);
        if (share != 0) total += share * slopes[i * g.ow + j];
      }
    }
    dx[e] = total;
  }
}
