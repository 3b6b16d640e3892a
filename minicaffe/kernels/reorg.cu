// CUDA half of reorg.py: a thread for each element of the order that is written, so that writes lie side by side.

KERNEL reorg(const real* x, real* y, Blocks g, int coarse, int n) {
  FOR(e, n) {
    if (coarse) {
      const int j = e % g.w, i = e / g.w % g.h;
      int rest = e / (g.w * g.h);
      const int c = rest % g.channels;
      rest /= g.channels;
      const int b = rest % g.side, a = rest / g.side % g.side, image = rest / (g.side * g.side);
      y[e] = x[(((image * g.channels + c) * g.h + i) * g.side + a) * g.w * g.side + j * g.side + b];
    } else {
      const int width = g.w * g.side, height = g.h * g.side, column = e % width, row = e / width % height;
      const int plane = e / (width * height), c = plane % g.channels, image = plane / g.channels;
      const int block = (image * g.side + row % g.side) * g.side + column % g.side;
      y[e] = x[((block * g.channels + c) * g.h + row / g.side) * g.w + column / g.side];
    }
  }
}
