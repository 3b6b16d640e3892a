// CUDA half of pooling.py: forward one thread per output, backward one per input, gathering.

#include "windows.cuh"

KERNEL max_pool_forward(const real* x, real* y, int* mask, Pool g, int n) {
  FOR(o, n) {
    const Span rows = window(o / g.ow % g.oh, g.kh, g.sh, g.ph, g.h), columns = window(o % g.ow, g.kw, g.sw, g.pw, g.w);
    const real* plane = x + o / (g.oh * g.ow) * g.h * g.w;
    real best = plane[rows.first * g.w + columns.first];
    int at = -1;  // until a number is seen
    for (int r = rows.first; r < rows.last; ++r)
      for (int c = columns.first; c < columns.last; ++c) {
        const real value = plane[r * g.w + c];
        if (value > best || (at < 0 && value == value)) {
          best = value;
          at = r * g.w + c;
        }
      }
    y[o] = best;
    mask[o] = at;
  }
}

KERNEL max_pool_backward(const real* dy, const int* mask, real* dx, Pool g, int n) {
  FOR(b, n) {
    const int area = g.h * g.w, at = b % area;
    const Holders rows = holders(at / g.w, g.kh, g.sh, g.ph, g.oh), columns = holders(at % g.w, g.kw, g.sw, g.pw, g.ow);
    const int plane = b / area * g.oh * g.ow;
    real total = 0;
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j) {
        const int o = plane + i * g.ow + j;
        if (mask[o] == at) total += dy[o];
      }
    dx[b] = total;
  }
}

KERNEL ave_pool_forward(const real* x, real* y, Pool g, int n) {
  FOR(o, n) {
    const Span rows = window(o / g.ow % g.oh, g.kh, g.sh, g.ph, g.h), columns = window(o % g.ow, g.kw, g.sw, g.pw, g.w);
    const real* plane = x + o / (g.oh * g.ow) * g.h * g.w;
    real total = 0;
    for (int r = rows.first; r < rows.last; ++r)
      for (int c = columns.first; c < columns.last; ++c) total += plane[r * g.w + c];
    y[o] = total / (counted(rows.start, g.kh, g.ph, g.h) * counted(columns.start, g.kw, g.pw, g.w));
  }
}

KERNEL ave_pool_backward(const real* dy, real* dx, Pool g, int n) {
  FOR(b, n) {
    const int area = g.h * g.w, at = b % area;
    const Holders rows = holders(at / g.w, g.kh, g.sh, g.ph, g.oh), columns = holders(at % g.w, g.kw, g.sw, g.pw, g.ow);
    const int plane = b / area * g.oh * g.ow;
    real total = 0;
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j) {
        const int covers = counted(i * g.sh - g.ph, g.kh, g.ph, g.h) * counted(j * g.sw - g.pw, g.kw, g.pw, g.w);
        total += dy[plane + i * g.ow + j] / covers;
      }
    dx[b] = total;
  }
}
