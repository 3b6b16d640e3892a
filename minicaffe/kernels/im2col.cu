// CUDA half of im2col.py: one thread per element of the result.

// Along one axis: the output that meets input `at` under tap `k`, or -1.
__device__ int output_meeting(int at, int k, int stride, int pad, int dilation, int outputs) {
  const int o = at + pad - k * dilation;
  return o >= 0 && o % stride == 0 && o / stride < outputs ? o / stride : -1;
}

KERNEL im2col(const real* x, real* columns, Columns g, int n) {
  const int pixels = g.od * g.oh * g.ow, taps = g.kd * g.kh * g.kw;
  FOR(i, n) {
    const int o = i % pixels, line = i / pixels, tap = line % taps;
    const int p = o / (g.oh * g.ow) * g.sd + tap / (g.kh * g.kw) * g.ld - g.pd;
    const int q = o / g.ow % g.oh * g.sh + tap / g.kw % g.kh * g.lh - g.ph;
    const int r = o % g.ow * g.sw + tap % g.kw * g.lw - g.pw;
    const bool inside = p >= 0 && p < g.d && q >= 0 && q < g.h && r >= 0 && r < g.w;
    columns[i] = inside ? x[((line / taps * g.d + p) * g.h + q) * g.w + r] : real(0);
  }
}

KERNEL col2im(const real* dcolumns, real* dx, Columns g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.h * g.w, taps = g.kd * g.kh * g.kw;
  FOR(i, n) {
    const int plane = i / (g.d * area);
    real total = 0;
    for (int tap = 0; tap < taps; ++tap) {
      const int p = output_meeting(i / area % g.d, tap / (g.kh * g.kw), g.sd, g.pd, g.ld, g.od);
      const int q = output_meeting(i / g.w % g.h, tap / g.kw % g.kh, g.sh, g.ph, g.lh, g.oh);
      const int r = output_meeting(i % g.w, tap % g.kw, g.sw, g.pw, g.lw, g.ow);
      if (p >= 0 && q >= 0 && r >= 0) total += dcolumns[(plane * taps + tap) * pixels + (p * g.oh + q) * g.ow + r];
    }
    dx[i] = total;
  }
}
