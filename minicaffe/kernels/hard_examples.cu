// CUDA half of hard_examples.py.

#include "partial_sums.cuh"

// Does loss a at position i come before loss b at j?
__device__ bool precedes(real a, int i, real b, int j) {
  if (a != a || b != b) return a != a && (b == b || i < j);
  return a > b || (a == b && i < j);
}

__device__ int image_of(const real* rois, int i, const Examples& g) {
  return whole(rois[i / g.inner * g.channels * g.inner + i % g.inner]);
}

KERNEL keep_hard(const real* rois, const real* losses, int* kept, Examples g, int n) {
  FOR(i, n) {
    const int image = image_of(rois, i, g);
    const real loss = losses[i];
    int before = 0;
    for (int j = 0; j < g.outer * g.inner; ++j)
      if (precedes(losses[j], j, loss, i)) before += image_of(rois, j, g) == image;
    kept[i] = before < g.most;
  }
}

KERNEL where_kept(const real* x, const int* kept, real* y, real absent, Examples g, int n) {
  FOR(k, n) y[k] = kept[k / (g.channels * g.inner) * g.inner + k % g.inner] ? x[k] : absent;
}

KERNEL position_losses(const real* p, const int* target, real* y, Labels g, int n) {
  const real tiny = real(1.1754943508222875e-38);
  FOR(i, n) {
    real loss = 0;
    if (target[i] >= 0) {
      const real likelihood = p[(i / g.inner * g.classes + target[i]) * g.inner + i % g.inner];
      loss = -log(likelihood < tiny ? tiny : likelihood);
    }
    y[i] = loss;
  }
}

KERNEL position_losses_backward(const real* p, const int* target, const real* dy, real* dx, Labels g, int n) {
  FOR(k, n) {
    const int c = k / g.inner % g.classes, place = k / (g.classes * g.inner) * g.inner + k % g.inner;
    if (target[place] >= 0) dx[k] += (p[k] - real(c == target[place])) * dy[place];
  }
}
