// CUDA half of margin.py.

#include "partial_sums.cuh"

#define NEAR real(1e-4)

KERNEL hinge_loss_forward(const real* x, const real* labels, real* slope, real* sums, int* tally, real* y, real* outcome,
                          int* noted, real* value, Labels g, int squared, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer);
    real total = 0;
    int first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      const bool known = label >= 0 && label < g.classes;
      for (int c = 0; c < g.classes; ++c) {
        const int k = i * g.classes + c;
        const real sign = c == label ? -1 : 1;
        real m = 1 + sign * x[k];
        if (m <= 0) m = 0;  // NaN stays
        total += squared ? m * m : m;
        const real step = squared ? 2 * m : m > 0 ? real(1) : m;
        slope[k] = known ? sign * step : real(0);
      }
      if (!known) {
        first = min(first, i);
        total += real(nan(""));
      }
    }
    leave(chunk, total, threadIdx.x == 0 ? size : 0, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL contrastive_loss_forward(const real* a, const real* b, const real* same, real* slope, real* sums, int* tally,
                                real* y, real* outcome, int* noted, real* value, Pairs g, real margin, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.count);
    real total = 0;
    int first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, kind = whole(same[i]);
      real square = 0;
      for (int k = i * g.length; k < (i + 1) * g.length; ++k) square += (a[k] - b[k]) * (a[k] - b[k]);
      real factor = 1;
      if (kind == -2147483647 - 1) {  // NaN
        first = min(first, i);
        total += real(nan(""));
        factor = 0;
      } else if (kind != 0) {
        total += square;
      } else if (g.legacy) {
        const real left = margin - square;
        total += left <= 0 ? real(0) : left;
        factor = left <= 0 ? real(0) : real(-1);
      } else {
        const real d = sqrt(square);
        const real left = margin - d <= 0 ? real(0) : margin - d;
        total += left * left;
        factor = -left / (d + NEAR);
      }
      for (int k = i * g.length; k < (i + 1) * g.length; ++k) slope[k] = factor * (a[k] - b[k]);
    }
    leave(chunk, real(0.5) * total, threadIdx.x == 0 ? size : 0, first, sums, tally);
  }
  conclude(same, sums, tally, y, outcome, noted, value, fixed, n);
}
