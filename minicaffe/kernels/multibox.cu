// CUDA half of multibox.py.

#include "divisor.cuh"
#include "partial_sums.cuh"
#include "objects.cuh"

enum { CORNER = 1, CENTER_SIZE };

__device__ int class_of(const real* truth, int row, const MultiBox& g) {
  return g.agnostic ? g.background + 1 : whole(truth[ROW * row + 1]);
}

// What moves coordinate k of box `base` to that of `wanted`, without variances.
__device__ real encoded(const real* base, const real* wanted, int k, int code) {
  if (code == CORNER) return wanted[k] - base[k];
  const int low = k % 2;
  const real size = base[low + 2] - base[low];
  if (code != CENTER_SIZE) return (wanted[k] - base[k]) / size;
  if (k < 2) return (wanted[low] + wanted[low + 2] - base[low] - base[low + 2]) * real(0.5) / size;
  return log((wanted[low + 2] - wanted[low]) / size);
}

// Offset k of box p less that which would move its prior to the object; 0 where it teaches nothing.
__device__ real difference(const real* offset, const real* prior, const real* truth, const real* boxes, int first, int p,
                           int row, int k, const MultiBox& g) {
  if (g.inside) {
    const real at = boxes[4 * ((g.predicted ? first : 0) + p) + k];
    if (at < 0 || at > 1) return 0;
  }
  const real v = prior[4 * (g.priors + p) + k];
  const real target = encoded(prior + 4 * p, truth + ROW * row + 3, k, g.code);
  return g.encoded ? (offset[k] - target) / v : offset[k] - target / v;
}

__device__ real distance(real d, const MultiBox& g) {
  return g.squared || fabs(d) < 1 ? real(0.5) * d * d : fabs(d) - real(0.5);
}

// -log(max(softmax(x)[label], 2^-126)); m and total: the greatest number, and the sum of the exponentials of what is less.
__device__ real softmax_loss(const real* x, int label, int classes, real& m, real& total) {
  const real tiny = real(1.1754943508222875e-38);
  m = x[0];
  for (int c = 1; c < classes; ++c) m = max(m, x[c]);
  total = 0;
  for (int c = 0; c < classes; ++c) total += exp(x[c] - m);
  const real likelihood = exp(x[label] - m) / total;
  return -log(likelihood < tiny ? tiny : likelihood);
}

// The cross entropy of sigmoid(x) and a target.
__device__ real logistic_loss(real x, real target) { return x * (real(x > 0) - target) + log1p(exp(-fabs(x))); }

// What score c of box i is to be.  Without mining the labels of an image are written as in the forks: see multibox.py.
__device__ int logistic_target(const real* truth, const int* match, int i, int c, int label, const MultiBox& g) {
  if (g.mining != NO_MINING) return c == label ? 1 : g.background;
  for (int image = 0; image < g.n; ++image) {
    const int place = i * g.classes + c - image * g.priors, p = place / g.classes;
    for (int s = 0; s < g.sets && place >= 0 && p < g.priors; ++s) {
      const int row = match[(image * g.sets + s) * g.priors + p];
      if (row >= 0 && class_of(truth, row, g) == place % g.classes) return 1;
    }
  }
  return g.background;
}

KERNEL candidate_losses(const real* loc, const real* conf, const real* prior, const real* truth, const real* boxes,
                        const int* match, const real* close, const int* positives, real* losses, MultiBox g, real limit,
                        int n) {
  const Divisor priors(g.priors);
  FOR(i, n) {
    const int image = i / priors, p = i - image * g.priors, row = match[i];
    const bool hard = g.mining == HARD_EXAMPLE;
    losses[i] = -1;
    if (hard ? positives[image] == NO_OBJECT : !(row == FREE && close[i] < limit && positives[image] > 0)) continue;
    const real* x = conf + i * g.classes;
    const int label = row >= 0 ? class_of(truth, row, g) : g.background;
    real loss = 0, m, total;
    if (g.logistic) for (int c = 0; c < g.classes; ++c) loss += logistic_loss(x[c], c == label);
    else loss = softmax_loss(x, label, g.classes, m, total);
    for (int k = 0; k < 4 && row >= 0; ++k)
      loss += distance(difference(loc + 4 * i, prior, truth, boxes, image * g.priors, p, row, k, g), g);
    losses[i] = loss;
  }
}

// Where the first image or class lies that there is not.
__device__ int first_unknown(const real* truth, const MultiBox& g) {
  int first = NONE;
  for (int row = threadIdx.x; row < g.rows; row += BLOCK) {
    const int image = whole(truth[ROW * row]);
    if (image == -1) continue;
    if (image < 0 || image >= g.n) first = min(first, ROW * row);
    else if (!is_class(whole(truth[ROW * row + 1]), g)) first = min(first, ROW * row + 1);
  }
  return first;
}

KERNEL multibox_loss_forward(const real* loc, const real* conf, const real* prior, const real* truth, const real* boxes,
                             const int* match, real* loc_slope, real* conf_slope, real* sums, int* tally, real* y,
                             real* outcome, int* noted, real* value, MultiBox g, real loc_weight, real conf_weight,
                             real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    real total = 0;
    int counted = 0;
    for (int j = threadIdx.x; j < chunk_size(chunk, g.n * g.priors); j += BLOCK) {
      const int i = chunk * CHUNK + j, image = i / g.priors, p = i - image * g.priors;
      int label = g.background;
      bool scored = g.mining == NO_MINING;
      for (int s = 0; s < g.sets; ++s) {
        const int item = image * g.sets + s, row = match[item * g.priors + p], part = (i * g.sets + s) * 4;
        for (int k = 0; k < 4; ++k) {
          real slope = 0;
          if (row >= 0) {
            const real d = difference(loc + part, prior, truth, boxes, item * g.priors, p, row, k, g);
            total += loc_weight * distance(d, g);
            slope = loc_weight * (g.squared || fabs(d) < 1 ? d : d > 0 ? real(1) : real(-1));
            if (g.encoded) slope /= prior[(g.priors + p) * 4 + k];
          }
          loc_slope[part + k] = slope;
        }
        if (row >= 0) {
          ++counted;
          label = class_of(truth, row, g);
        }
        scored |= row >= 0 || row == GROUND;
      }
      const real* x = conf + i * g.classes;
      real *slope = conf_slope + i * g.classes, m = 0, sum = 0;
      if (scored && !g.logistic) total += conf_weight * softmax_loss(x, label, g.classes, m, sum);
      for (int c = 0; c < g.classes; ++c) {
        real steep = 0;
        if (scored && g.logistic) {
          const real target = logistic_target(truth, match, i, c, label, g), e = exp(-fabs(x[c]));
          total += conf_weight * logistic_loss(x[c], target);
          steep = (x[c] > 0 ? real(1) : e) / (1 + e) - target;
        } else if (scored) {
          steep = exp(x[c] - m) / sum - real(c == label);
        }
        slope[c] = conf_weight * steep;
      }
    }
    leave(chunk, total, counted, chunk ? NONE : first_unknown(truth, g), sums, tally);
  }
  conclude(truth, sums, tally, y, outcome, noted, value, fixed, n);
}
