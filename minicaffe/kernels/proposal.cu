// CUDA half of proposal.py.

KERNEL propose(const real* prob, const real* deltas, const real* info, const real* anchors, real* boxes, real* scores,
               Grid g, real smallest, int n) {
  const int cells = g.h * g.w;
  FOR(e, n) {
    const int a = e % g.anchors, cell = e / g.anchors, image = cell / cells, at = cell % cells;
    const real down = at / g.w * g.stride, across = at % g.w * g.stride;
    const real *about = info + 4 * image, *delta = deltas + (image * g.anchors + a) * 4 * cells + at;
    const real x1 = anchors[4 * a] + across, y1 = anchors[4 * a + 1] + down;
    real w = anchors[4 * a + 2] + across - x1 + 1, h = anchors[4 * a + 3] + down - y1 + 1;
    const real x = delta[0] * w + (x1 + real(0.5) * w), y = delta[cells] * h + (y1 + real(0.5) * h);
    w *= exp(delta[2 * cells]);
    h *= exp(delta[3 * cells]);
    const real left = min(max(x - real(0.5) * w, real(0)), about[1] - 1);
    const real top = min(max(y - real(0.5) * h, real(0)), about[0] - 1);
    const real right = min(max(x + real(0.5) * w, real(0)), about[1] - 1);
    const real bottom = min(max(y + real(0.5) * h, real(0)), about[0] - 1);
    boxes[4 * e] = left;
    boxes[4 * e + 1] = top;
    boxes[4 * e + 2] = right;
    boxes[4 * e + 3] = bottom;
    const bool large = right - left + 1 >= smallest * about[3] && bottom - top + 1 >= smallest * about[2];
    scores[e] = large ? prob[((2 * image + 1) * g.anchors + a) * cells + at] : real(0);
  }
}

__device__ real area(const real* box) { return (box[2] - box[0] + 1) * (box[3] - box[1] + 1); }

// Is the intersection of two boxes more than that part of their union?
__device__ bool overlaps(const real* a, const real* b, real threshold) {
  const real w = min(a[2], b[2]) - max(a[0], b[0]) + 1, h = min(a[3], b[3]) - max(a[1], b[1]) + 1;
  if (w <= 0 || h <= 0) return false;
  const real shared = w * h;
  return shared / (area(a) + area(b) - shared) > threshold;
}

// A box that stays is found by all threads alike, which then look at the boxes behind it.
KERNEL suppress(const real* boxes, const int* order, int* gone, int* kept, int count, int most, real threshold, int n) {
  FOR_BLOCK(one, n) {
    for (int k = threadIdx.x; k < count; k += BLOCK) gone[k] = 0;
    __syncthreads();
    int found = 0;
    for (int k = 0; k < count && found < most; ++k) {
      if (gone[k]) continue;
      ++found;
      if (threadIdx.x == 0) kept[found] = order[k];
      for (int other = k + 1 + threadIdx.x; other < count; other += BLOCK)
        if (overlaps(boxes + 4 * order[k], boxes + 4 * order[other], threshold)) gone[other] = 1;
      __syncthreads();
    }
    if (threadIdx.x == 0) kept[0] = found;
  }
}
