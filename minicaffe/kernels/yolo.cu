// CUDA half of yolo.py.

#include "divisor.cuh"

__device__ real logistic(real x) { return 1 / (1 + exp(-x)); }

KERNEL decode_cells(const real* x, const real* sizes, real* boxes, real* objects, real* scores, Cells g, int n) {
  const int area = g.h * g.w, channels = 5 + g.classes;
  const Divisor anchors(g.anchors), cells(area), columns(g.w);
  FOR(item, n) {
    const int outer = item / anchors, a = item - outer * g.anchors, image = outer / cells, cell = outer - image * area;
    const int row = cell / columns, column = cell - row * g.w;
    const real* in = x + (image * g.anchors + a) * channels * area + cell;
    boxes[4 * item] = (column + logistic(in[0])) / g.w;
    boxes[4 * item + 1] = (row + logistic(in[area])) / g.h;
    boxes[4 * item + 2] = exp(in[2 * area]) * sizes[2 * a];
    boxes[4 * item + 3] = exp(in[3 * area]) * sizes[2 * a + 1];
    objects[item] = logistic(in[4 * area]);
    in += 5 * area;
    real* out = scores + item * g.classes;
    if (!g.softmax) {
      for (int c = 0; c < g.classes; ++c) out[c] = logistic(in[c * area]);
      continue;
    }
    real largest = in[0], total = 0;
    for (int c = 1; c < g.classes; ++c) largest = max(largest, in[c * area]);
    for (int c = 0; c < g.classes; ++c) total += out[c] = exp(in[c * area] - largest);
    for (int c = 0; c < g.classes; ++c) out[c] /= total;
  }
}
