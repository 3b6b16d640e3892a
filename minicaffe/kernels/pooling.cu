// CUDA half of pooling.py: forward one thread per output, backward one per input, gathering.
//
// A thread works on the same pixel of PLANES planes, which have their windows in common: what it takes to find them is
// shared, and there are as many independent reads under way.  Only the means of windows, which may be whole planes, are
// taken one by one: the windows themselves are work enough.

#include "divisor.cuh"
#include "windows.cuh"

enum { PLANES = 4 };  // as in pooling.py

// A flat index over planes (or groups of PLANES planes), rows and columns, taken apart.
struct Place { int plane, at, row, column; };
struct Plane {
  Divisor area, w;
  __device__ Plane(int h, int w) : area(h * w), w(w) {}
  __device__ Place operator()(int index) const {
    const int plane = index / area, at = index - plane * area.value, row = at / w;
    return {plane, at, row, at - row * w.value};
  }
};

// Plane k of a group; past the end the last one again, so that it is computed twice alike.
__device__ int plane_of(int group, int k, const Pool& g) { return min(group * PLANES + k, g.planes - 1); }

KERNEL max_pool_forward(const real* x, real* y, int* mask, Pool g, int n) {
  const Plane outputs(g.oh, g.ow);
  FOR(item, n) {
    const Place o = outputs(item);
    const Span rows = window(o.row, g.kh, g.sh, g.ph, g.h), columns = window(o.column, g.kw, g.sw, g.pw, g.w);
    const real* plane[PLANES];
    real best[PLANES];
    int at[PLANES];
    for (int k = 0; k < PLANES; ++k) {
      plane[k] = x + plane_of(o.plane, k, g) * g.h * g.w;
      best[k] = plane[k][rows.first * g.w + columns.first];
      at[k] = -1;  // until a number is seen
    }
    for (int r = rows.first; r < rows.last; ++r)
      for (int c = columns.first; c < columns.last; ++c)
        for (int k = 0; k < PLANES; ++k) {
          const real value = plane[k][r * g.w + c];
          const bool wins = value > best[k] || (at[k] < 0 && value == value);
          best[k] = wins ? value : best[k];
          at[k] = wins ? r * g.w + c : at[k];
        }
    for (int k = 0; k < PLANES; ++k) {
      const int to = plane_of(o.plane, k, g) * g.oh * g.ow + o.at;
      y[to] = best[k];
      mask[to] = at[k];
    }
  }
}

KERNEL max_pool_backward(const real* dy, const int* mask, real* dx, Pool g, int n) {
  const Plane inputs(g.h, g.w);
  const Divisor sh(g.sh), sw(g.sw);
  FOR(item, n) {
    const Place b = inputs(item);
    const Holders rows = holders(b.row, g.kh, sh, g.ph, g.oh), columns = holders(b.column, g.kw, sw, g.pw, g.ow);
    real total[PLANES] = {};
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j)
        for (int k = 0; k < PLANES; ++k) {
          const int o = (plane_of(b.plane, k, g) * g.oh + i) * g.ow + j;
          const real above = dy[o];
          total[k] += mask[o] == b.at ? above : real(0);
        }
    for (int k = 0; k < PLANES; ++k) dx[plane_of(b.plane, k, g) * inputs.area.value + b.at] = total[k];
  }
}

KERNEL ave_pool_forward(const real* x, real* y, Pool g, int n) {
  const Plane outputs(g.oh, g.ow);
  FOR(item, n) {
    const Place o = outputs(item);
    const Span rows = window(o.row, g.kh, g.sh, g.ph, g.h), columns = window(o.column, g.kw, g.sw, g.pw, g.w);
    const real* plane = x + o.plane * g.h * g.w;
    real total = 0;
    for (int r = rows.first; r < rows.last; ++r)
      for (int c = columns.first; c < columns.last; ++c) total += plane[r * g.w + c];
    y[item] = total / (counted(rows.start, g.kh, g.ph, g.h) * counted(columns.start, g.kw, g.pw, g.w));
  }
}

KERNEL ave_pool_backward(const real* dy, real* dx, Pool g, int n) {
  const Plane inputs(g.h, g.w);
  const Divisor sh(g.sh), sw(g.sw);
  FOR(item, n) {
    const Place b = inputs(item);
    const Holders rows = holders(b.row, g.kh, sh, g.ph, g.oh), columns = holders(b.column, g.kw, sw, g.pw, g.ow);
    real total[PLANES] = {};
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j) {
        const int covers = counted(i * g.sh - g.ph, g.kh, g.ph, g.h) * counted(j * g.sw - g.pw, g.kw, g.pw, g.w);
        for (int k = 0; k < PLANES; ++k) total[k] += dy[(plane_of(b.plane, k, g) * g.oh + i) * g.ow + j] / covers;
      }
    for (int k = 0; k < PLANES; ++k) dx[plane_of(b.plane, k, g) * inputs.area.value + b.at] = total[k];
  }
}
