// CUDA half of confusion.py.  Counts are whole numbers, so that their order does not matter.

#include "partial_sums.cuh"

KERNEL best_classes(const real* x, int* found, Labels g, int n) {
  FOR(i, n) {
    const real* column = x + i / g.inner * g.classes * g.inner + i % g.inner;
    int best = 0;
    for (int c = 1; c < g.classes; ++c)
      if (!(column[c * g.inner] < column[best * g.inner])) best = c;
    found[i] = best;
  }
}

KERNEL count_pairs(const real* labels, const int* found, const int* ignored, int* matrix, int* position, Labels g,
                   int ignores, int n) {
  FOR(i, n) {
    const int label = whole(labels[i]);
    bool counts = true;
    for (int k = 0; k < ignores; ++k) counts = counts && label != ignored[k];
    if (counts && label >= 0 && label < g.classes) atomicAdd(matrix + label * g.classes + found[i], 1);
    else if (counts) atomicMin(position, i);
  }
}

struct Scores { double recalls, shares; int right, all, present; };
__device__ Scores operator+(const Scores& a, const Scores& b) {
  return {a.recalls + b.recalls, a.shares + b.shares, a.right + b.right, a.all + b.all, a.present + b.present};
}
__device__ Scores across(const Scores& v, int bits) {
  return {across(v.recalls, bits), across(v.shares, bits), across(v.right, bits), across(v.all, bits),
          across(v.present, bits)};
}

KERNEL matrix_scores(const int* matrix, const real* labels, const int* position, real* value, real* y, Labels g, int n) {
  FOR_BLOCK(one, n) {
    Scores sum = {};
    for (int c = threadIdx.x; c < g.classes; c += BLOCK) {
      int labelled = 0, found = 0;
      for (int k = 0; k < g.classes; ++k) {
        labelled += matrix[c * g.classes + k];
        found += matrix[k * g.classes + c];
      }
      const int both = matrix[c * g.classes + c], either = labelled + found - both;
      const double recall = labelled > 0 ? double(both) / labelled : 0.0;
      sum = sum + Scores{recall, either > 0 ? double(both) / either : 1.0, both, labelled, int(labelled > 0)};
    }
    sum = block_sum(sum);
    if (threadIdx.x != 0) continue;
    y[0] = real(double(sum.right) / max(sum.all, 1));
    y[1] = real(sum.recalls / max(sum.present, 1));
    y[2] = real(sum.shares / g.classes);
    const int at = position[0];
    if (at != NONE && at < g.outer * g.inner) {
      const int label = whole(labels[at]);
      if (label < 0 || label >= g.classes) value[0] = labels[at];
    }
  }
}
