// CUDA half of likelihood.py.

#include "partial_sums.cuh"

#define FLOOR real(1e-20)

KERNEL multinomial_loss_forward(const real* p, const real* labels, real* slope, real* sums, int* tally, real* y,
                                real* outcome, int* noted, real* value, Labels g, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    int first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      const int start = i / g.inner * g.classes * g.inner + i % g.inner;
      for (int c = 0; c < g.classes; ++c) slope[start + c * g.inner] = 0;
      if (label >= 0 && label < g.classes) {
        const int k = start + label * g.inner;
        const real likelihood = p[k] < FLOOR ? FLOOR : p[k];
        total -= log(likelihood);
        slope[k] = -1 / likelihood;
      } else {
        first = min(first, i);
        total += real(nan(""));
      }
    }
    leave(chunk, total, threadIdx.x == 0 ? size : 0, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL class_weights_loss_forward(const real* p, const real* labels, const real* weights, real* slope, real* sums,
                                  int* tally, real* y, real* outcome, int* noted, real* value, Labels g, real fixed, int n) {
  const real tiny = real(1.1754943508222875e-38);
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    int counted = 0, first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      const int start = i / g.inner * g.classes * g.inner + i % g.inner;
      const bool counts = !(g.ignoring && label == g.ignore), known = label >= 0 && label < g.classes;
      const real weight = counts && known ? weights[label] : real(0);
      counted += counts;
      for (int c = 0; c < g.classes; ++c) {
        const int k = start + c * g.inner;
        slope[k] = weight * (p[k] - real(c == label));
      }
      if (counts && known) {
        const real likelihood = p[start + label * g.inner];
        total -= weight * log(likelihood < tiny ? tiny : likelihood);
      } else if (counts) {
        first = min(first, i);
        total += real(nan(""));
      }
    }
    leave(chunk, total, counted, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL infogain_loss_forward(const real* p, const real* labels, const real* gain, real* slope, real* sums, int* tally,
                             real* y, real* outcome, int* noted, real* value, Labels g, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    int counted = 0, first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      const int start = i / g.inner * g.classes * g.inner + i % g.inner;
      const bool counts = !(g.ignoring && label == g.ignore);
      counted += counts;
      if (counts && label >= 0 && label < g.classes) {
        const real* row = gain + label * g.classes;
        real whole_row = 0;
        for (int c = 0; c < g.classes; ++c) {
          const real likelihood = p[start + c * g.inner];
          total -= row[c] * log(likelihood < FLOOR ? FLOOR : likelihood);
          whole_row += row[c];
        }
        for (int c = 0; c < g.classes; ++c) slope[start + c * g.inner] = p[start + c * g.inner] * whole_row - row[c];
      } else {
        for (int c = 0; c < g.classes; ++c) slope[start + c * g.inner] = 0;
        if (counts) {
          first = min(first, i);
          total += real(nan(""));
        }
      }
    }
    leave(chunk, total, counted, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}
