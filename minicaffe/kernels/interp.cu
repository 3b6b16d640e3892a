// CUDA half of interp.py: forward one thread per output, backward one per input, which asks the outputs around it.

__device__ double ratio(int extent, int out) { return out > 1 ? double(float(double(extent - 1) / (out - 1))) : 0.0; }

struct Between { int first, second; real share; };
__device__ Between place(int i, double step, int extent) {
  const double at = double(float(i * step));
  const int first = min(int(at), extent - 1);
  return {first, min(first + 1, extent - 1), real(at - first)};
}

KERNEL interp_forward(const real* x, real* y, Zoom g, int n) {
  const double down = ratio(g.h, g.oh), across = ratio(g.w, g.ow);
  FOR(o, n) {
    const Between rows = place(o / g.ow % g.oh, down, g.h), columns = place(o % g.ow, across, g.w);
    const real* start = x + (o / (g.oh * g.ow) * g.rows + g.top) * g.columns + g.left;
    const real *above = start + rows.first * g.columns, *below = start + rows.second * g.columns;
    const real upper = (1 - columns.share) * above[columns.first] + columns.share * above[columns.second];
    const real lower = (1 - columns.share) * below[columns.first] + columns.share * below[columns.second];
    y[o] = (1 - rows.share) * upper + rows.share * lower;
  }
}

// The outputs that may lie next to input `at`, first <= o <= last, and what it counts in one of them.
struct Around { int first, last; };
__device__ Around around(int at, double step, int out) {
  if (step <= 0) return {0, out - 1};
  return {max(0, int((at - 1) / step) - 1), min(out - 1, int((at + 1) / step) + 1)};
}
__device__ real weight(int at, int o, double step, int extent) {
  const Between b = place(o, step, extent);
  return (b.first == at ? 1 - b.share : real(0)) + (b.second == at ? b.share : real(0));
}

KERNEL interp_backward(const real* dy, real* dx, Zoom g, int n) {
  const double down = ratio(g.h, g.oh), across = ratio(g.w, g.ow);
  FOR(e, n) {
    const int row = e / g.columns % g.rows - g.top, column = e % g.columns - g.left;
    real total = 0;
    if (row >= 0 && row < g.h && column >= 0 && column < g.w) {
      const real* slopes = dy + e / (g.rows * g.columns) * g.oh * g.ow;
      const Around rows = around(row, down, g.oh), columns = around(column, across, g.ow);
      for (int i = rows.first; i <= rows.last; ++i) {
        const real above = weight(row, i, down, g.h);
        if (above == 0) continue;
        for (int j = columns.first; j <= columns.last; ++j)
          total += above * weight(column, j, across, g.w) * slopes[i * g.ow + j];
      }
    }
    dx[e] = total;
  }
}
