// CUDA half of convolution.py: one thread per element of the result, gathering.

// A flat index over three extents, taken apart.
struct Index3 { int z, i, j; };
__device__ Index3 split3(int index, int rows, int columns) {
  return {index / (rows * columns), index / columns % rows, index % columns};
}

// The input pixel that output `o` reads under tap `k`, or -1 outside the image.
__device__ int pixel_read(const Conv& g, Index3 o, Index3 k) {
  const int p = o.z * g.sd + k.z * g.ld - g.pd, q = o.i * g.sh + k.i * g.lh - g.ph, r = o.j * g.sw + k.j * g.lw - g.pw;
  return p >= 0 && p < g.d && q >= 0 && q < g.h && r >= 0 && r < g.w ? (p * g.h + q) * g.w + r : -1;
}

// The output along one axis that reads input `at` under tap `k`, or -1.
__device__ int output_reading(int at, int k, int stride, int pad, int dilation, int extent) {
  const int o = at + pad - k * dilation;
  return o >= 0 && o % stride == 0 && o / stride < extent ? o / stride : -1;
}

KERNEL conv_forward(const real* x, const real* weights, const real* bias, real* y, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, taps = g.kd * g.kh * g.kw;
  FOR(e, n) {
    const Index3 o = split3(e % pixels, g.oh, g.ow);
    const int row = e / pixels, m = row % (g.groups * g.m);
    const real* below = x + (row / (g.groups * g.m) * g.groups + m / g.m) * g.c * area;
    const real* factors = weights + m * g.c * taps;
    real total = 0;
    for (int k = 0; k < taps; ++k) {
      const int from = pixel_read(g, o, split3(k, g.kh, g.kw));
      if (from < 0) continue;
      for (int c = 0; c < g.c; ++c) total += factors[c * taps + k] * below[c * area + from];
    }
    y[e] = g.bias ? total + bias[m] : total;
  }
}

KERNEL conv_backward_data(const real* dy, const real* weights, real* dx, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, taps = g.kd * g.kh * g.kw;
  FOR(e, n) {
    const Index3 at = split3(e % area, g.h, g.w);
    const int plane = e / area, c = plane % g.c, group = plane / g.c % g.groups;
    const real* above = dy + plane / g.c * g.m * pixels;
    real total = 0;
    for (int k = 0; k < taps; ++k) {
      const Index3 tap = split3(k, g.kh, g.kw);
      const int z = output_reading(at.z, tap.z, g.sd, g.pd, g.ld, g.od);
      const int i = output_reading(at.i, tap.i, g.sh, g.ph, g.lh, g.oh);
      const int j = output_reading(at.j, tap.j, g.sw, g.pw, g.lw, g.ow);
      if (z < 0 || i < 0 || j < 0) continue;
      const int o = (z * g.oh + i) * g.ow + j;
      for (int m = 0; m < g.m; ++m) total += weights[((group * g.m + m) * g.c + c) * taps + k] * above[m * pixels + o];
    }
    dx[e] = total;
  }
}

KERNEL conv_backward_weights(const real* x, const real* dy, real* dweights, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, taps = g.kd * g.kh * g.kw;
  FOR(e, n) {
    const Index3 tap = split3(e % taps, g.kh, g.kw);
    const int c = e / taps % g.c, m = e / (taps * g.c);
    real total = 0;
    for (int o = 0; o < pixels; ++o) {
      const int from = pixel_read(g, split3(o, g.oh, g.ow), tap);
      if (from < 0) continue;
      for (int image = 0; image < g.n; ++image) {
        const real above = dy[(image * g.groups * g.m + m) * pixels + o];
        total += above * x[((image * g.groups + m / g.m) * g.c + c) * area + from];
      }
    }
    dweights[e] += total;
  }
}
