// CUDA half of siblings.py, plain sums: a GPU's convolutions do better one after the other (siblings.one_by_one).

#include "finish.cuh"

// Of all outputs the sibling that has number `m`, and which of its own it is.
struct Own { int sibling, m; };
__device__ Own own(const Fan& g, int m) {
  if (m < g.m0) return {0, m};
  if (m < g.m0 + g.m1) return {1, m - g.m0};
  return {2, m - g.m0 - g.m1};
}

template <class Each> __device__ Each of(int sibling, Each first, Each second, Each third) {
  return sibling == 0 ? first : sibling == 1 ? second : third;
}

// Where the plane of an image's output starts in y, and in dy.
__device__ int plane(const Fan& g, Own at, int image) {
  return image * of(at.sibling, g.y_step0, g.y_step1, g.y_step2) + at.m * g.pixels;
}

KERNEL siblings_forward(const real* x, const real* w0, const real* w1, const real* w2, const real* b0, const real* b1,
                        const real* b2, real* y0, real* y1, real* y2, Fan g, int n) {
  const int outputs = g.m0 + g.m1 + g.m2;
  FOR(i, n) {
    const int pixel = i % g.pixels, image = i / g.pixels / outputs;
    const Own at = own(g, i / g.pixels % outputs);
    const real* w = of(at.sibling, w0, w1, w2) + at.m * g.c;
    const real* from = x + image * g.x_step + pixel;
    real total = 0;
    for (int c = 0; c < g.c; ++c) total += w[c] * from[c * g.pixels];
    of(at.sibling, y0, y1, y2)[plane(g, at, image) + pixel] = finish(g, total, of(at.sibling, b0, b1, b2), at.m);
  }
}

KERNEL siblings_backward_data(const real* dy0, const real* dy1, const real* dy2, const real* w0, const real* w1,
                              const real* w2, real* dx, Fan g, int n) {
  const int outputs = g.m0 + g.m1 + g.m2;
  FOR(i, n) {
    const int pixel = i % g.pixels, c = i / g.pixels % g.c, image = i / g.pixels / g.c;
    real total = 0;
    for (int m = 0; m < outputs; ++m) {
      const Own at = own(g, m);
      total += of(at.sibling, w0, w1, w2)[at.m * g.c + c] *
               of(at.sibling, dy0, dy1, dy2)[plane(g, at, image) + pixel];
    }
    real* result = dx + image * g.x_step + c * g.pixels + pixel;
    *result = g.add ? *result + total : total;
  }
}

KERNEL siblings_backward_weights(const real* x, const real* dy0, const real* dy1, const real* dy2, real* dw0, real* dw1,
                                 real* dw2, Fan g, int n) {
  FOR_BLOCK(weight, n) {
    const int c = weight % g.c;
    const Own at = own(g, weight / g.c);
    const real* dy = of(at.sibling, dy0, dy1, dy2);
    real total = 0;
    for (int k = threadIdx.x; k < g.n * g.pixels; k += BLOCK) {
      const int image = k / g.pixels, pixel = k % g.pixels;
      total += dy[plane(g, at, image) + pixel] * x[image * g.x_step + c * g.pixels + pixel];
    }
    total = block_sum(total);
    if (threadIdx.x == 0) of(at.sibling, dw0, dw1, dw2)[at.m * g.c + c] += total;
  }
}
