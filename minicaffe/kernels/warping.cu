// CUDA half of warping.py: forward one thread per cell, backward one per pixel, which asks the regions in turn.

// As in regions.py: double precision, rounded after every step, so that nothing can be fused.
__device__ double narrow(double value) { return double(float(value)); }
__device__ double nearest(double value) { return value >= 0 ? floor(value + 0.5) : ceil(value - 0.5); }
__device__ double begins(double low, double scale) { return nearest(narrow(narrow(low) * scale)); }

__device__ double step_of(double size, int cells) {
  const double samples = ceil(narrow(size / cells));
  return samples > 0 ? narrow(1 / samples) : 2;
}

__device__ double inside(double position, int extent) {
  if (position < -0.5 || position > extent - 0.5) return -1;
  return fmin(fmax(position, 0.0), extent - 1.0);
}

KERNEL region_warp_forward(const real* x, const real* rois, const int* spans, real* y, real* at, Regions g, real scale,
                           int n) {
  const int cells = g.rows * g.columns, span = 1 + 2 * (g.rows + g.columns);
  FOR(item, n) {
    const int c = item / cells % g.channels, r = item / (cells * g.channels), i = item % cells / g.columns;
    const int j = item % g.columns, image = spans[r * span];
    real best = image < 0 ? real(nan("")) : real(0);
    at[2 * item] = at[2 * item + 1] = -1;
    bool found = false;
    if (image >= 0) {
      const real *roi = rois + 5 * r, *pixels = x + (image * g.channels + c) * g.h * g.w;
      const double left = begins(roi[1], scale), top = begins(roi[2], scale);
      const double width = fmax(begins(roi[3], scale) - left, 0.0), height = fmax(begins(roi[4], scale) - top, 0.0);
      const double high = narrow(height / g.rows), wide = narrow(width / g.columns);
      const double down_step = step_of(height, g.rows), across_step = step_of(width, g.columns);
      for (double down = i; down <= i + 1; down = narrow(down + down_step)) {
        const double row = inside(narrow(top + narrow(down * high)), g.h);
        for (double across = j; across <= j + 1 && row >= 0; across = narrow(across + across_step)) {
          const double column = inside(narrow(left + narrow(across * wide)), g.w);
          if (column < 0) continue;
          const int upper = int(row), start = int(column);
          const int lower = min(upper + 1, g.h - 1), end = min(start + 1, g.w - 1);
          const real low = real(row - upper), far = real(column - start);
          const real *above = pixels + upper * g.w, *below = pixels + lower * g.w;
          const real sample = (1 - low) * ((1 - far) * above[start] + far * above[end]) +
                              low * ((1 - far) * below[start] + far * below[end]);
          if (sample > best || (!found && sample == sample)) {
            best = sample;
            found = true;
            at[2 * item] = row;
            at[2 * item + 1] = column;
          }
        }
      }
    }
    y[item] = best;
  }
}

KERNEL region_warp_backward(const real* dy, const int* spans, const real* at, real* dx, Regions g, int n) {
  const int cells = g.rows * g.columns, span = 1 + 2 * (g.rows + g.columns);
  FOR(e, n) {
    const int plane = e / (g.h * g.w), row = e / g.w % g.h, column = e % g.w;
    const int image = plane / g.channels, c = plane % g.channels;
    real total = 0;
    for (int r = 0; r < g.count; ++r) {
      if (spans[r * span] != image) continue;
      const int first = (r * g.channels + c) * cells;
      for (int o = first; o < first + cells; ++o) {
        if (at[2 * o] < 0) continue;
        const real low = 1 - fabs(at[2 * o] - row), far = 1 - fabs(at[2 * o + 1] - column);
        if (low > 0 && far > 0) total += low * far * dy[o];
      }
    }
    dx[e] = total;
  }
}
