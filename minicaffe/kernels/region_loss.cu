// CUDA half of region_loss.py.

#include "divisor.cuh"
#include "partial_sums.cuh"

#define WARM 12800
#define PULL real(0.01)

struct Place { real x, y, w, h; };

__device__ real logistic(real v) { return 1 / (1 + exp(-v)); }

__device__ real common(const Place& a, const Place& b) {
  const real w = min(a.x + a.w / 2, b.x + b.w / 2) - max(a.x - a.w / 2, b.x - b.w / 2);
  const real h = min(a.y + a.h / 2, b.y + b.h / 2) - max(a.y - a.h / 2, b.y - b.h / 2);
  if (w <= 0 || h <= 0) return 0;
  return w * h / (a.w * a.h + b.w * b.h - w * h);
}

// -1: the row is none of this image's; -2: it lies behind the last.
__device__ int where(const real* labels, int image, int t, const Region& g) {
  if (g.corners) return labels[8 * t] == image ? 8 * t : -1;
  const int first = 5 * (image * g.rows + t);
  return labels[first + 3] != 0 ? first : -2;
}

__device__ Place centre(const real* row, const Region& g) {
  if (g.corners) return {(row[3] + row[5]) / 2, (row[4] + row[6]) / 2, row[5] - row[3], row[6] - row[4]};
  return {row[1], row[2], row[3], row[4]};
}

KERNEL region_ground(const real* x, const real* labels, const real* biases, const unsigned* stream, real* slope, Region g,
                     real noobject, real threshold, int n) {
  const int area = g.h * g.w;
  const Divisor cells(area), anchors(g.anchors), columns(g.w);
  const real pull = !g.corners && stream[2] < unsigned(WARM / g.images) ? PULL : real(0);
  FOR(item, n) {
    const int outer = item / cells, cell = item - outer * area, image = outer / anchors, a = outer - image * g.anchors;
    const int first = outer * (5 + g.classes) * area + cell, line = cell / columns;
    const real* in = x + first;
    real* out = slope + first;
    const real sx = logistic(in[0]), sy = logistic(in[area]), across = in[2 * area], down = in[3 * area];
    const Place box = {(cell - line * g.w + sx) / g.w, (line + sy) / g.h, exp(across) * biases[2 * a] / g.w,
                       exp(down) * biases[2 * a + 1] / g.h};
    real best = 0;
    for (int t = 0; t < g.rows; ++t) {
      const int row = where(labels, image, t, g);
      if (row == -2) break;
      if (row >= 0) best = max(best, common(box, centre(labels + row, g)));
    }
    const real p = logistic(in[4 * area]);
    out[0] = -pull * (real(0.5) - sx) * sx * (1 - sx);
    out[area] = -pull * (real(0.5) - sy) * sy * (1 - sy);
    out[2 * area] = pull * across;
    out[3 * area] = pull * down;
    out[4 * area] = best > threshold ? real(0) : noobject * p * p * (1 - p);
    for (int c = 0; c < g.classes; ++c) out[(5 + c) * area] = 0;
  }
}

__device__ real cut(real d, const Region& g) { return g.corners ? min(max(d, real(-1)), real(1)) : d; }

KERNEL region_objects(const real* x, const real* labels, const real* biases, real* slope, int* bad, Region g, real sure,
                      real kind, real coord, int n) {
  const int area = g.h * g.w, channels = 5 + g.classes;
  FOR(image, n) {
    bad[image] = NONE;
    for (int t = 0; t < g.rows; ++t) {
      const int row = where(labels, image, t, g);
      if (row == -2) break;
      if (row < 0) continue;
      const real label = g.corners ? labels[row + 1] - 1 : labels[row];
      if (!(label >= 0 && label < g.classes)) {
        bad[image] = min(bad[image], row + g.corners);
        continue;
      }
      const Place object = centre(labels + row, g);
      const int column = min(max(int(object.x * g.w), 0), g.w - 1), line = min(max(int(object.y * g.h), 0), g.h - 1);
      const int cell = line * g.w + column;
      real best = 0;
      int chosen = 0;
      for (int a = 0; a < g.anchors; ++a) {
        const real* in = x + (image * g.anchors + a) * channels * area + cell;
        Place anchor = {0, 0, biases[2 * a] / g.w, biases[2 * a + 1] / g.h};
        if (!g.match) {
          anchor.w *= exp(in[2 * area]);
          anchor.h *= exp(in[3 * area]);
        }
        const real like = common(anchor, {0, 0, object.w, object.h});
        if (like > best) {
          best = like;
          chosen = a;
        }
      }
      const int first = (image * g.anchors + chosen) * channels * area + cell;
      const real *in = x + first, aw = biases[2 * chosen], ah = biases[2 * chosen + 1];
      real* out = slope + first;
      const real sx = logistic(in[0]), sy = logistic(in[area]), across = in[2 * area], down = in[3 * area];
      const Place box = {(column + sx) / g.w, (line + sy) / g.h, exp(across) * aw / g.w, exp(down) * ah / g.h};
      const real share = common(box, object);
      const real weight = g.corners || g.rescore ? coord : coord * (2 - object.w * object.h);
      out[0] = -weight * cut(object.x * g.w - column - sx, g) * sx * (1 - sx);
      out[area] = -weight * cut(object.y * g.h - line - sy, g) * sy * (1 - sy);
      out[2 * area] = -weight * cut(log(object.w * g.w / aw) - across, g);
      out[3 * area] = -weight * cut(log(object.h * g.h / ah) - down, g);
      const real p = logistic(in[4 * area]);
      const real missing = g.corners ? 2 * (1 - p) * (1 - p) * (1 - p) : (g.rescore ? share : real(1)) - p;
      out[4 * area] = -sure * missing * p * (1 - p);
      in += 5 * area;
      out += 5 * area;
      real largest = in[0], total = 0;
      for (int c = 1; c < g.classes; ++c) largest = max(largest, in[c * area]);
      for (int c = 0; c < g.classes; ++c) total += exp(in[c * area] - largest);
      for (int c = 0; c < g.classes; ++c)
        out[c * area] = -kind * ((c == int(label) ? real(1) : real(0)) - exp(in[c * area] - largest) / total);
    }
  }
}

KERNEL region_sum(const real* slope, const real* labels, const int* bad, real* sums, int* tally, real* y, real* outcome,
                  int* noted, real* value, real fixed, int slopes, int images, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, slopes);
    real total = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const real d = slope[chunk * CHUNK + j];
      total += d * d;
    }
    int earliest = NONE;
    for (int i = threadIdx.x; i < images && chunk == 0; i += BLOCK) earliest = min(earliest, bad[i]);
    leave(chunk, total, 0, earliest, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL region_backward(const real* slope, const real* dloss, real* dx, real share, int n) {
  const real factor = dloss[0] * share;
  FOR(i, n) dx[i] = slope[i] * factor;
}
