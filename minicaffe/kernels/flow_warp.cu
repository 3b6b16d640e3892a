// CUDA half of flow_warp.py.  Of the image's gradient a thread takes a whole plane, so that its sums have one order.

struct Source { int at, right, down; real a, b; };
__device__ Source source(const real* flow, int image, int r, int s, const Warp& g) {
  const int at = (2 * image * g.h + r) * g.w + s;
  const real x = s + flow[at], y = r + flow[at + g.h * g.w];
  if (!(x >= 0 && x < g.w && y >= 0 && y < g.h)) return {-1, 0, 0, x, y};
  const int left = int(x), upper = int(y);
  return {upper * g.w + left, min(1, g.w - 1 - left), min(1, g.h - 1 - upper) * g.w, x - left, y - upper};
}

KERNEL warp_forward(const real* x, const real* flow, real* y, Warp g, real absent, int n) {
  FOR(o, n) {
    const int s = o % g.w, r = o / g.w % g.h, plane = o / (g.w * g.h);
    const Source of = source(flow, plane / g.c, r, s, g);
    if (of.at < 0) {
      y[o] = absent;
      continue;
    }
    const real* k = x + plane * g.h * g.w + of.at;
    const real upper = (1 - of.a) * k[0] + of.a * k[of.right];
    const real lower = (1 - of.a) * k[of.down] + of.a * k[of.down + of.right];
    y[o] = (1 - of.b) * upper + of.b * lower;
  }
}

KERNEL warp_backward_image(const real* dy, const real* flow, real* dx, Warp g, int n) {
  const int area = g.h * g.w;
  FOR(plane, n) {
    real* down_to = dx + plane * area;
    for (int k = 0; k < area; ++k) down_to[k] = 0;
    for (int k = 0; k < area; ++k) {
      const Source of = source(flow, plane / g.c, k / g.w, k % g.w, g);
      if (of.at < 0) continue;
      const real slope = dy[plane * area + k];
      real* to = down_to + of.at;
      to[0] += (1 - of.a) * (1 - of.b) * slope;
      to[of.right] += of.a * (1 - of.b) * slope;
      to[of.down] += (1 - of.a) * of.b * slope;
      to[of.down + of.right] += of.a * of.b * slope;
    }
  }
}

KERNEL warp_backward_flow(const real* x, const real* dy, const real* flow, real* dflow, Warp g, int n) {
  const int area = g.h * g.w;
  FOR(o, n) {
    const int image = o / area, place = o % area;
    const Source of = source(flow, image, place / g.w, place % g.w, g);
    real across = 0, below = 0;
    for (int channel = image * g.c; of.at >= 0 && channel < (image + 1) * g.c; ++channel) {
      const real* k = x + channel * area + of.at;
      const real slope = dy[channel * area + place];
      const real upper = k[of.right] - k[0], lower = k[of.down + of.right] - k[of.down];
      const real before = k[of.down] - k[0], behind = k[of.down + of.right] - k[of.right];
      across += slope * ((1 - of.b) * upper + of.b * lower);
      below += slope * ((1 - of.a) * before + of.a * behind);
    }
    dflow[2 * image * area + place] = across;
    dflow[(2 * image + 1) * area + place] = below;
  }
}
