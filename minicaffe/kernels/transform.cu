// CUDA half of transform.py: one thread per value, so that neighbours read neighbouring bytes, mirrored or not.

KERNEL transform(const unsigned char* pixels, const int* windows, const real* mean, const real* factors, real* out, Cut g, int n) {
  FOR(e, n) {
    const int x = e % g.ow, y = e / g.ow % g.oh, plane = e / g.ow / g.oh;
    const int* window = windows + 3 * (plane / g.c);
    const int column = window[1] + (window[2] ? g.ow - 1 - x : x);
    const int at = (window[0] + y) * g.w + column;
    const real m = mean[plane % g.c * g.channel_step + at * g.pixel_step];
    out[e] = (real(pixels[plane * g.h * g.w + at]) - m) * factors[plane % g.c];
  }
}
