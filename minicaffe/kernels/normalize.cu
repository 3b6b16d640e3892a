// CUDA half of normalize.py.

#include "divisor.cuh"
#include "map.cuh"
#include "columns.cuh"

// What columns.cuh wants to know of the columns.
struct View {
  int outer, classes, inner;
  __device__ explicit View(const Norms& g)
      : outer(g.n), classes(g.across ? g.channels * g.inner : g.channels), inner(g.across ? 1 : g.inner) {}
};

KERNEL column_norms(const real* x, real* norm, Norms g, real eps, int n) {
  const View view(g);
  FOR_BLOCK(item, n) {
    const Share s = share(view, item);
    if (s.first < 0) continue;  // whole warps, or threads that work alone: nobody waits for them
    real total = 0;
    for (int c = s.lane; c < view.classes; c += s.lanes) {
      const real v = x[s.first + c * view.inner];
      total += g.absolute ? abs(v) : v * v;
    }
    total = joined(s, total, Plus()) + eps;
    if (s.lane == 0) norm[s.column] = g.absolute ? total : sqrt(total);
  }
}

KERNEL normalize_forward(const real* x, const real* norm, const real* scale, real* y, Norms g, int n) {
  const Divisor inner(g.inner), channels(g.channels);
  const auto normalized = [=](int i, real v) {
    const int row = i / inner, image = row / channels;
    const real factor = scale[g.shared ? 0 : row - image * g.channels];
    return v * factor / norm[g.across ? image : image * g.inner + i - row * g.inner];
  };
  map(n, y, normalized, x);
}

KERNEL normalize_backward(const real* x, const real* norm, const real* scale, const real* dy, real* dots, real* dx,
                          Norms g, int n) {
  const View view(g);
  const Divisor plane(g.inner);
  FOR_BLOCK(item, n) {
    const Share s = share(view, item);
    if (s.first < 0) continue;
    real dot = 0;
    for (int c = s.lane; c < view.classes; c += s.lanes) {
      const int i = s.first + c * view.inner;
      dot += x[i] * dy[i];
    }
    dot = joined(s, dot, Plus());
    const real below = norm[s.column];
    for (int c = s.lane; c < view.classes; c += s.lanes) {
      const int i = s.first + c * view.inner;
      const real v = x[i], along = g.absolute ? real(v > 0) - real(v < 0) : v / below;
      const real factor = scale[g.shared ? 0 : g.across ? c / plane : c];
      dx[i] = factor * (dy[i] - along * dot / below) / below;
    }
    if (s.lane == 0) dots[s.column] = dot;
  }
}

KERNEL scale_sums(const real* x, const real* norm, const real* dy, real* sums, Norms g, int n) {
  const Divisor inner(g.inner);
  FOR_BLOCK(c, n) {
    real total = 0;
    for (int e = threadIdx.x; unsigned(e) < unsigned(g.n * g.inner); e += BLOCK) {
      const int image = e / inner, i = (image * g.channels + c) * g.inner + e - image * g.inner;
      total += x[i] * dy[i] / norm[g.across ? image : e];
    }
    total = block_sum(total);
    if (threadIdx.x == 0) sums[c] = total;
  }
}

KERNEL add_scale_sums(const real* sums, real* dscale, Norms g, int n) {
  FOR(c, n) {
    real total = sums[c];
    if (g.shared)
      for (int other = 1; other < g.channels; ++other) total += sums[other];
    dscale[c] += total;
  }
}
