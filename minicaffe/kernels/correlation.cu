// CUDA half of correlation.py: forward one thread per output, gradients one per input, gathering.

__device__ real at(const real* x, int plane, int row, int column, const Grid& g) {
  const bool inside = row >= 0 && row < g.h && column >= 0 && column < g.w;
  return inside ? x[(plane * g.h + row) * g.w + column] : real(0);
}

KERNEL correlation_forward(const real* a, const real* b, real* y, Grid g, int n) {
  const real count = g.window * g.window * g.c;
  FOR(o, n) {
    const int j = o % g.ow, i = o / g.ow % g.oh, q = o / (g.ow * g.oh) % (g.side * g.side);
    const int image = o / (g.ow * g.oh * g.side * g.side);
    const int down = (q / g.side - g.side / 2) * g.apart, right = (q % g.side - g.side / 2) * g.apart;
    const int top = i * g.step + g.first, left = j * g.step + g.first;
    real total = 0;
    for (int channel = image * g.c; channel < (image + 1) * g.c; ++channel)
      for (int r = top; r < top + g.window; ++r)
        for (int s = left; s < left + g.window; ++s) {
          const real one = at(a, channel, r, s, g), other = at(b, channel, r + down, s + right, g);
          total += g.sizes ? fabs(one - other) : one * other;
        }
    y[o] = total / count;
  }
}

// Of value / step, for values of either sign: rounded down, and up.
__device__ int below(int value, int step) { return value >= 0 ? value / step : -((step - 1 - value) / step); }
__device__ int above(int value, int step) { return -below(-value, step); }

KERNEL correlation_gradient(const real* own, const real* other, const real* dy, real* down, Grid g, int second, int n) {
  const real count = g.window * g.window * g.c;
  const int way = second ? -1 : 1;
  FOR(e, n) {
    const int s = e % g.w, r = e / g.w % g.h, plane = e / (g.w * g.h), image = plane / g.c;
    real total = 0;
    for (int q = 0; q < g.side * g.side; ++q) {
      const int lower = (q / g.side - g.side / 2) * g.apart, right = (q % g.side - g.side / 2) * g.apart;
      const real facing = at(other, plane, r + way * lower, s + way * right, g), d = own[e] - facing;
      const real factor = g.sizes ? real(d > 0) - real(d < 0) : facing;
      const int u = (second ? r - lower : r) - g.first, v = (second ? s - right : s) - g.first;
      const int top = max(0, above(u - g.window + 1, g.step)), left = max(0, above(v - g.window + 1, g.step));
      const int bottom = min(g.oh, below(u, g.step) + 1), end = min(g.ow, below(v, g.step) + 1);
      real part = 0;
      for (int i = top; i < bottom; ++i)
        for (int j = left; j < end; ++j) part += dy[((image * g.side * g.side + q) * g.oh + i) * g.ow + j];
      total += factor * part;
    }
    down[e] = total / count;
  }
}
