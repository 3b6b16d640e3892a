// CUDA half of loss.py.

#include "partial_sums.cuh"
#include "columns.cuh"

// The lane that writes the label's probability adds its logarithm, and all else of the column.
KERNEL softmax_loss_forward(const real* x, const real* labels, real* p, int* target, real* sums, int* tally, real* y,
                            real* outcome, int* noted, real* value, Labels g, real fixed, int n) {
  const real tiny = real(1.1754943508222875e-38);
  FOR_BLOCK(item, n) {
    const Share s = share(g, item);
    Partial<real> part = {0, 0, NONE};
    bool mine = s.lane == 0;
    if (s.first >= 0) {
      normalize(x, p, s, g);
      const int label = whole(labels[s.column]);
      const bool counts = !(g.ignoring && label == g.ignore), known = counts && label >= 0 && label < g.classes;
      mine = s.lane == (known ? label % s.lanes : 0);
      if (mine) {
        target[s.column] = known ? label : -1;
        part.counted = counts;
        if (known) {
          const real likelihood = p[s.first + label * g.inner];
          part.total = -log(likelihood < tiny ? tiny : likelihood);
        } else if (counts) {
          part = {real(nan("")), 1, s.column};
        }
      }
    }
    if (s.lanes < BLOCK) leave(item, part.total, part.counted, part.first, sums, tally);
    else if (mine) store(item, part, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL softmax_loss_backward(const real* p, const int* target, const real* dloss, const real* divisor, real* dx, Labels g,
                             int add, int n) {
  const real slope = dloss[0] / divisor[0];
  FOR(k, n) {
    const int c = k / g.inner % g.classes, label = target[k / (g.classes * g.inner) * g.inner + k % g.inner];
    const real step = label >= 0 ? (p[k] - real(c == label)) * slope : real(0);
    dx[k] = add ? dx[k] + step : step;
  }
}

KERNEL sigmoid_loss_forward(const real* x, const real* t, real* slope, real* sums, int* tally, real* y, real* outcome,
                            int* noted, real* value, Labels g, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    int counted = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j;
      slope[i] = 0;
      if (g.ignoring && whole(t[i]) == g.ignore) continue;
      ++counted;
      const real e = exp(-fabs(x[i]));  // at most 1
      total += x[i] * (real(x[i] > 0) - t[i]) + log1p(e);
      slope[i] = (x[i] > 0 ? 1 : e) / (1 + e) - t[i];
    }
    leave(chunk, total, counted, NONE, sums, tally);
  }
  conclude(t, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL balance(const real* t, real* shares, Labels g, int n) {
  FOR_BLOCK(image, n) {
    int ones = 0, zeros = 0;
    for (int i = threadIdx.x; i < g.inner; i += BLOCK) {
      ones += t[image * g.inner + i] == 1;
      zeros += t[image * g.inner + i] == 0;
    }
    ones = block_sum(ones);
    zeros = block_sum(zeros);
    if (threadIdx.x == 0) shares[image] = real(zeros) / max(ones + zeros, 1);
  }
}

KERNEL balanced_loss_forward(const real* x, const real* t, const real* shares, real* slope, real* sums, int* tally, real* y,
                             real* outcome, int* noted, real* value, Labels g, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j;
      const real share = shares[i / g.inner], weight = t[i] == 1 ? share : 1 - share;
      const bool counts = t[i] == 1 || t[i] == 0;
      const real e = exp(-fabs(x[i]));  // at most 1
      if (counts) total += weight * (x[i] * (real(x[i] > 0) - t[i]) + log1p(e));
      const real error = (x[i] > 0 ? 1 : e) / (1 + e) - t[i];
      slope[i] = counts ? weight * error : error;
    }
    leave(chunk, total, threadIdx.x == 0 ? size : 0, NONE, sums, tally);
  }
  conclude(t, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL euclidean_loss_forward(const real* a, const real* b, real* slope, real* sums, int* tally, real* y, real* outcome,
                              int* noted, real* value, int count, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, count);
    real total = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j;
      slope[i] = a[i] - b[i];
      total += slope[i] * slope[i];
    }
    leave(chunk, real(0.5) * total, threadIdx.x == 0 ? size : 0, NONE, sums, tally);
  }
  conclude(b, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL loss_backward(const real* slope, const real* dloss, const real* divisor, real* dx, real sign, int add,
                     int n) {
  const real factor = sign * dloss[0] / divisor[0];
  FOR(i, n) dx[i] = (add ? dx[i] : real(0)) + slope[i] * factor;
}

// Is the label's score at position i a number, and do fewer than top_k others reach it?  NaN does.  A thread finds out alone,
// or all lanes of a warp do together.
__device__ bool is_right(const real* x, int label, int i, const Labels& g, int top_k, int lane = 0, int lanes = 1) {
  const real* column = x + i / g.inner * g.classes * g.inner + i % g.inner;
  const real score = column[label * g.inner];
  int reach = 0;
  for (int c = lane; c < g.classes; c += lanes) reach += !(column[c * g.inner] < score);
  if (lanes == LANES) reach = warp_sum(reach);
  return score == score && reach <= top_k;
}

KERNEL accuracy_forward(const real* x, const real* labels, real* sums, int* tally, real* y, real* outcome, int* noted,
                        real* value, Labels g, int top_k, real fixed, int n) {
  const int lanes = g.classes >= BLOCK && g.inner == 1 ? LANES : 1;  // a position that is a long row takes a warp
  const int lane = threadIdx.x % lanes;
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    int right = 0, counted = 0, first = NONE;
    for (int j = threadIdx.x / lanes; j < size; j += BLOCK / lanes) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      if (g.ignoring && label == g.ignore) continue;
      counted += lane == 0;
      if (label >= 0 && label < g.classes)
        right += is_right(x, label, i, g, top_k, lane, lanes) && lane == 0;
      else
        first = min(first, i);
    }
    leave(chunk, real(right), counted, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL class_accuracy_forward(const real* x, const real* labels, real* y, Labels g, int top_k, int n) {
  FOR_BLOCK(c, n) {
    int right = 0, counted = 0;
    if (!(g.ignoring && c == g.ignore))
      for (int i = threadIdx.x; i < g.outer * g.inner; i += BLOCK)
        if (whole(labels[i]) == c) {
          ++counted;
          right += is_right(x, c, i, g, top_k);
        }
    right = block_sum(right);
    counted = block_sum(counted);
    if (threadIdx.x == 0) y[c] = real(right) / max(counted, 1);
  }
}
