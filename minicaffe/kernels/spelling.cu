// CUDA half of spelling.py: a warp finds the best class of a row, a thread reads a sequence.

#include "partial_sums.cuh"

// A class and its score.
struct Best { real score; int label; };

__device__ Best across(const Best& v, int bits) { return {across(v.score, bits), across(v.label, bits)}; }

struct Better {
  __device__ Best operator()(const Best& a, const Best& b) const {
    return b.score > a.score || (b.score == a.score && b.label < a.label) ? b : a;
  }
};

// All lanes of a warp call it, and get the result.  A lane that has found nothing holds no class.
__device__ int best_class(const real* x, int classes) {
  Best best = {-REAL_MAX, NONE};
  for (int c = threadIdx.x % LANES; c < classes; c += LANES)
    if (best.label == NONE ? x[c] >= -REAL_MAX : x[c] > best.score) best = {x[c], c};
  best = warp_joined(best, Better());
  return best.label == NONE ? 0 : best.label;
}

__device__ int tells(const int* best, int b, int t, const Readings& g) {
  const int row = b * g.n_step + t * g.t_step;
  return g.merge && t > 0 && best[row] == best[row - g.t_step] ? g.blank : best[row];
}

KERNEL best_classes(const real* x, int* best, Readings g, int n) {
  FOR_BLOCK(block, n) {
    const int row = block * WARPS + threadIdx.x / LANES;
    if (row >= g.steps * g.n) continue;
    const int found = best_class(x + row * g.classes, g.classes);
    if (threadIdx.x % LANES == 0) best[row] = found;
  }
}

KERNEL write_lines(const int* best, real* y, Readings g, int n) {
  FOR(b, n) {
    int count = b * g.steps;
    for (int t = 0; t < g.steps; ++t) {
      const int label = tells(best, b, t, g);
      if (label != g.blank) y[count++] = label;
    }
    while (count < (b + 1) * g.steps) y[count++] = -1;
  }
}

KERNEL line_errors(const int* best, const real* labels, int* line, int* room, real* errors, Readings g, int n) {
  FOR(b, n) {
    int *wanted = line + b * g.length, *row = room + b * (g.length + 1), count = 0, told = 0;
    for (int j = 0; j < g.length; ++j) {
      const int label = whole(labels[b * g.length + j]);
      if (label != g.blank) wanted[count++] = label;
    }
    for (int j = 0; j <= count; ++j) row[j] = j;
    for (int t = 0; t < g.steps; ++t) {
      const int label = tells(best, b, t, g);
      if (label == g.blank) continue;
      int corner = row[0];
      row[0] = ++told;
      for (int j = 0; j < count; ++j) {
        const int exchange = corner + (wanted[j] != label);
        corner = row[j + 1];
        row[j + 1] = min(exchange, min(corner, row[j]) + 1);
      }
    }
    errors[2 * b] = row[count] > 0 ? real(row[count]) / max(count, told) : real(0);
    errors[2 * b + 1] = row[count] > 0;
  }
}

KERNEL mean_of_errors(const real* errors, real* y, Readings g, int n) {
  FOR(k, n) {
    double total = 0;
    for (int b = 0; b < g.n; ++b) total += errors[2 * b + k];
    y[k] = real(1 - total / max(g.n, 1));
  }
}

__device__ bool says(const int* best, const real* labels, int b, const Readings& g) {
  int j = b * g.length;
  const int end = (b + 1) * g.length;
  for (int t = 0; t < g.steps; ++t) {
    const int label = tells(best, b, t, g);
    if (label == g.blank) continue;
    while (j < end && whole(labels[j]) == g.blank) ++j;
    if (j == end || whole(labels[j]) != label) return false;
    ++j;
  }
  while (j < end && whole(labels[j]) == g.blank) ++j;
  return j == end;
}

KERNEL line_accuracy(const real* x, const real* labels, int* best, real* sums, int* tally, real* y, real* outcome,
                     int* noted, real* value, Readings g, real fixed, int n) {
  FOR_BLOCK(b, n) {
    for (int t = threadIdx.x / LANES; b < g.n && t < g.steps; t += WARPS) {
      const int row = b * g.n_step + t * g.t_step, found = best_class(x + row * g.classes, g.classes);
      if (threadIdx.x % LANES == 0) best[row] = found;
    }
    __syncthreads();
    const bool mine = threadIdx.x == 0 && b < g.n;
    leave(b, mine && says(best, labels, b, g) ? real(1) : real(0), mine, NONE, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}
