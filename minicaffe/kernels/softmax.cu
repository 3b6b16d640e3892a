// CUDA half of softmax.py.

#include "columns.cuh"

KERNEL softmax_forward(const real* x, real* y, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first >= 0) normalize(x, y, s, g);  // else whole warps, or threads that work alone: nobody waits for them
  }
}

KERNEL softmax_backward(const real* y, const real* dy, real* dx, Columns g, int n) {
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    if (s.first < 0) continue;
    real total = 0;
    for (int c = s.lane; c < g.classes; c += s.lanes) total += dy[s.first + c * g.inner] * y[s.first + c * g.inner];
    total = joined(s, total, Plus());
    for (int c = s.lane; c < g.classes; c += s.lanes) {
      const int k = s.first + c * g.inner;
      dx[k] = y[k] * (dy[k] - total);
    }
  }
}
