// CUDA half of ctc.py: a block takes a sequence, a warp a row of its scores, a thread a place of its line.

#include "partial_sums.cuh"

#define NEVER -1e300  // as in ctc.py

struct Line { int count, repeats, first; };

__device__ Line read_line(const real* labels, int* path, int b, const Lines& g) {
  Line line = {0, 0, NONE};
  for (int j = b * g.length; j < (b + 1) * g.length; ++j) {
    const int label = whole(labels[j]);
    if (label < 0 || label >= g.classes) {
      line.first = min(line.first, j);
    } else if (label != g.blank) {
      line.repeats += line.count > 0 && path[line.count - 1] == label;
      path[line.count++] = label;
    }
  }
  return line;
}

__device__ double joined(double a, double b, double c) {
  const double m = max(a, max(b, c));
  return m + log(exp(a - m) + exp(b - m) + exp(c - m));
}

__device__ bool skips(const int* path, int s) { return s % 2 && s > 1 && path[s / 2] != path[s / 2 - 1]; }

__device__ int label_of(const int* path, int s, int blank) { return s % 2 ? path[s / 2] : blank; }

__device__ double said(const real* x, double level, const int* path, int s, int blank) {
  const double found = double(x[label_of(path, s, blank)]) - level;
  return found < NEVER ? NEVER : found;
}

// slope = softmax of the scores of sequence b, level = the logarithm of what they were divided by.
__device__ void softmax_rows(const real* x, real* slope, double* level, int b, const Lines& g) {
  const int lane = threadIdx.x % LANES;
  for (int t = threadIdx.x / LANES; t < g.steps; t += WARPS) {
    const int row = (t * g.n + b) * g.classes;
    real m = -REAL_MAX, total = 0;
    for (int c = lane; c < g.classes; c += LANES) m = max(m, x[row + c]);
    m = warp_max(m);
    for (int c = lane; c < g.classes; c += LANES) total += slope[row + c] = exp(x[row + c] - m);
    total = warp_sum(total);
    for (int c = lane; c < g.classes; c += LANES) slope[row + c] /= total;
    if (lane == 0) level[t] = double(m) + log(double(total));
  }
}

// All threads of a block call it, and get the result.
__device__ double walk(const real* x, const int* path, double* level, double* alpha, double* beta, real* slope, int b,
                       int places, const Lines& g) {
  softmax_rows(x, slope, level, b, g);
  __syncthreads();
  for (int t = 0; t < g.steps; ++t) {
    double *now = alpha + t * places, *before = now - places;
    for (int s = threadIdx.x; s < places; s += BLOCK) {
      double come = t == 0 && s < 2 ? 0.0 : NEVER;
      if (t > 0) come = joined(before[s], s > 0 ? before[s - 1] : NEVER, skips(path, s) ? before[s - 2] : NEVER);
      now[s] = come + said(x + (t * g.n + b) * g.classes, level[t], path, s, g.blank);
    }
    __syncthreads();
  }
  const double* end = alpha + g.steps * places - 1;
  const double likely = joined(end[0], places > 1 ? end[-1] : NEVER, NEVER);
  __syncthreads();
  for (int t = g.steps - 1; t >= 0; --t) {
    double *now = alpha + t * places, *here = beta + t % 2 * places, *then = beta + (t + 1) % 2 * places;
    for (int s = threadIdx.x; s < places; s += BLOCK) {
      double go = t == g.steps - 1 && s >= places - 2 ? 0.0 : NEVER;
      if (t < g.steps - 1)
        go = joined(then[s], s + 1 < places ? then[s + 1] : NEVER,
                    s + 2 < places && skips(path, s + 2) ? then[s + 2] : NEVER);
      now[s] = exp(now[s] + go - likely);
      here[s] = go + said(x + (t * g.n + b) * g.classes, level[t], path, s, g.blank);
    }
    __syncthreads();
  }
  // The first place with a label takes away what all such places have.
  for (int item = threadIdx.x; item < g.steps * places; item += BLOCK) {
    const int t = item / places, s = item % places, label = label_of(path, s, g.blank);
    bool is_first = true;
    for (int other = s % 2; other < s && is_first; other += 2) is_first = label_of(path, other, g.blank) != label;
    if (!is_first) continue;
    double total = 0;
    for (int other = s; other < places; other += 2)
      if (label_of(path, other, g.blank) == label) total += alpha[t * places + other];
    slope[(t * g.n + b) * g.classes + label] -= real(total);
  }
  return -likely;
}

KERNEL ctc_forward(const real* x, const real* labels, int* path, double* level, double* alpha, double* beta,
                   real* slope, real* sums, int* tally, real* y, real* outcome, int* noted, real* value, Lines g,
                   real fixed, int n) {
  __shared__ Line line;
  const int most = 2 * g.length + 1;
  FOR_BLOCK(b, n) {
    __syncthreads();
    if (threadIdx.x == 0) line = b < g.n ? read_line(labels, path + b * g.length, b, g) : Line{0, 0, NONE};
    __syncthreads();
    double total = 0;
    if (b < g.n && line.first == NONE && line.count + line.repeats <= g.steps) {
      total = walk(x, path + b * g.length, level + b * g.steps, alpha + b * g.steps * most, beta + 2 * b * most, slope, b,
                   2 * line.count + 1, g);
    } else if (b < g.n) {
      if (line.first != NONE) total = nan("");
      for (int k = threadIdx.x; k < g.steps * g.classes; k += BLOCK)
        slope[(k / g.classes * g.n + b) * g.classes + k % g.classes] = 0;
    }
    const bool speaks = threadIdx.x == 0;
    leave(b, speaks ? real(total) : real(0), speaks && b < g.n, speaks ? line.first : NONE, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}
