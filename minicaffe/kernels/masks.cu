// CUDA half of masks.py.

#include "divisor.cuh"

KERNEL masked(const real* x, const real* mask, real* y, Masks g, int n) {
  const Divisor area(g.area), channels(g.channels);
  FOR(k, n) {
    const int plane = k / area, r = plane / channels;
    y[k] = x[k] * mask[r * g.area + k - plane * g.area];
  }
}

KERNEL mask_slope(const real* x, const real* dy, real* dmask, Masks g, int n) {
  const Divisor area(g.area);
  FOR(k, n) {
    const int r = k / area, first = r * g.channels * g.area + k - r * g.area;
    real total = 0;
    for (int c = 0; c < g.channels; ++c) total += dy[first + c * g.area] * x[first + c * g.area];
    dmask[k] = total;
  }
}

// Where pixel i of `out` stands among `in`: behind the last it stays there.
__device__ real stands(int i, int in, int out) { return min(real(i * in) / out, real(in - 1)); }

KERNEL stretch_forward(const real* x, real* y, Stretch g, int n) {
  const Divisor columns(g.ow), rows(g.oh);
  FOR(k, n) {
    const int line = k / columns, j = k - line * g.ow, plane = line / rows, i = line - plane * g.oh;
    const real down = stands(i, g.h, g.oh), across = stands(j, g.w, g.ow);
    const int upper = min(int(down), g.h - 1), left = min(int(across), g.w - 1);
    const int lower = min(upper + 1, g.h - 1), right = min(left + 1, g.w - 1);
    const real low = down - upper, far = across - left;
    const real *above = x + (plane * g.h + upper) * g.w, *below = x + (plane * g.h + lower) * g.w;
    const real top = (1 - far) * above[left] + far * above[right];
    const real bottom = (1 - far) * below[left] + far * below[right];
    y[k] = (1 - low) * top + low * bottom;
  }
}

KERNEL stretch_backward(const real* dy, real* dx, Stretch g, int n) {
  const Divisor columns(g.w), rows(g.h);
  FOR(k, n) {
    const int line = k / columns, column = k - line * g.w, plane = line / rows, row = line - plane * g.h;
    const int first = row == 0 ? 0 : (row - 1) * g.oh / g.h, start = column == 0 ? 0 : (column - 1) * g.ow / g.w;
    const int last = row == g.h - 1 ? g.oh : min((row + 1) * g.oh / g.h + 1, g.oh);
    const int end = column == g.w - 1 ? g.ow : min((column + 1) * g.ow / g.w + 1, g.ow);
    real total = 0;
    for (int i = first; i < last; ++i) {
      const real low = 1 - fabs(stands(i, g.h, g.oh) - row);
      if (low <= 0) continue;
      for (int j = start; j < end; ++j) {
        const real far = 1 - fabs(stands(j, g.w, g.ow) - column);
        if (far > 0) total += low * far * dy[(plane * g.oh + i) * g.ow + j];
      }
    }
    dx[k] = total;
  }
}
