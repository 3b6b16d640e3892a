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

// The planes of a group; past the end the last one again, so that it is computed twice alike.
struct Group {
  int plane[PLANES], image[PLANES];
  const Pool& g;
  __device__ Group(int group, const Divisor& channels, const Pool& g) : g(g) {
    for (int k = 0; k < PLANES; ++k) {
      plane[k] = min(group * PLANES + k, g.planes - 1);
      image[k] = plane[k] / channels;
    }
  }
  // Where plane k starts in an array of planes of `size` elements whose images are `step` elements apart.
  __device__ int start(int k, int step, int size) const {
    return image[k] * step + (plane[k] - image[k] * g.channels) * size;
  }
  __device__ int x(int k) const { return start(k, g.x_step, g.h * g.w); }
  __device__ int y(int k) const { return start(k, g.y_step, g.oh * g.ow); }
  __device__ int mask(int k) const { return plane[k] * g.oh * g.ow; }
};

// What a thread has for its pixel of each plane, written or added.  The last plane may be there twice: only its first
// copy adds.
__device__ void leave(const real (&total)[PLANES], real* dx, const Group& of, int add) {
  for (int k = 0; k < PLANES; ++k) {
    if (k > 0 && of.plane[k] == of.plane[k - 1]) break;
    dx[of.x(k)] = add ? dx[of.x(k)] + total[k] : total[k];
  }
}

KERNEL max_pool_forward(const real* x, real* y, int* mask, Pool g, int n) {
  const Plane outputs(g.oh, g.ow);
  const Divisor channels(g.channels);
  FOR(item, n) {
    const Place o = outputs(item);
    const Span rows = window(o.row, g.kh, g.sh, g.ph, g.h), columns = window(o.column, g.kw, g.sw, g.pw, g.w);
    const Group of(o.plane, channels, g);
    const real* plane[PLANES];
    real best[PLANES];
    int at[PLANES];
    for (int k = 0; k < PLANES; ++k) {
      plane[k] = x + of.x(k);
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
      y[of.y(k) + o.at] = best[k];
      mask[of.mask(k) + o.at] = at[k];
    }
  }
}

KERNEL max_pool_backward(const real* dy, const int* mask, real* dx, Pool g, int add, int n) {
  const Plane inputs(g.h, g.w);
  const Divisor sh(g.sh), sw(g.sw), channels(g.channels);
  FOR(item, n) {
    const Place b = inputs(item);
    const Holders rows = holders(b.row, g.kh, sh, g.ph, g.oh), columns = holders(b.column, g.kw, sw, g.pw, g.ow);
    const Group of(b.plane, channels, g);
    real total[PLANES] = {};
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j)
        for (int k = 0; k < PLANES; ++k) {
          const int o = i * g.ow + j;
          const real above = dy[of.y(k) + o];
          total[k] += mask[of.mask(k) + o] == b.at ? above : real(0);
        }
    leave(total, dx + b.at, of, add);
  }
}

// How many elements the mean of the window that begins there is over.
__device__ int area(int top, int left, const Pool& g) {
  return counted(top, g.kh, g.eh, g.h, g.bare) * counted(left, g.kw, g.ew, g.w, g.bare);
}

KERNEL ave_pool_forward(const real* x, real* y, Pool g, int n) {
  const Plane outputs(g.oh, g.ow);
  const Divisor channels(g.channels);
  FOR(item, n) {
    const Place o = outputs(item);
    const Span rows = window(o.row, g.kh, g.sh, g.ph, g.h), columns = window(o.column, g.kw, g.sw, g.pw, g.w);
    const int image = o.plane / channels, channel = o.plane - image * g.channels;
    const real* plane = x + image * g.x_step + channel * g.h * g.w;
    real total = 0;
    for (int r = rows.first; r < rows.last; ++r)
      for (int c = columns.first; c < columns.last; ++c) total += plane[r * g.w + c];
    const int covers = area(rows.start, columns.start, g);
    y[image * g.y_step + channel * g.oh * g.ow + o.at] = total / covers;
  }
}

KERNEL ave_pool_backward(const real* dy, real* dx, Pool g, int add, int n) {
  const Plane inputs(g.h, g.w);
  const Divisor sh(g.sh), sw(g.sw), channels(g.channels);
  FOR(item, n) {
    const Place b = inputs(item);
    const Holders rows = holders(b.row, g.kh, sh, g.ph, g.oh), columns = holders(b.column, g.kw, sw, g.pw, g.ow);
    const Group of(b.plane, channels, g);
    real total[PLANES] = {};
    for (int i = rows.first; i < rows.last; ++i)
      for (int j = columns.first; j < columns.last; ++j) {
        const int covers = area(i * g.sh - g.ph, j * g.sw - g.pw, g);
        for (int k = 0; k < PLANES; ++k) total[k] += dy[of.y(k) + i * g.ow + j] / covers;
      }
    leave(total, dx + b.at, of, add);
  }
}
