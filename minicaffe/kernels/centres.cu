// CUDA half of centres.py.

#include "partial_sums.cuh"

KERNEL center_loss_forward(const real* x, const real* labels, const real* centres, real* slope, real* sums, int* tally,
                           real* y, real* outcome, int* noted, real* value, Centres g, real fixed, int n) {
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.count);
    real total = 0;
    int first = NONE;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, label = whole(labels[i]);
      const bool known = label >= 0 && label < g.classes;
      if (!known) {
        first = min(first, i);
        total += real(nan(""));
      }
      for (int k = 0; k < g.length; ++k) {
        const real d = known ? x[i * g.length + k] - centres[label * g.length + k] : real(0);
        total += g.absolute ? fabs(d) : real(0.5) * d * d;
        slope[i * g.length + k] = g.absolute ? real(d > 0) - real(d < 0) : d;
      }
    }
    leave(chunk, total, threadIdx.x == 0 ? size : 0, first, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}

KERNEL center_steps(const real* slope, const real* labels, real* dcentres, Centres g, int n) {
  FOR(e, n) {
    const int j = e / g.length, k = e % g.length;
    real total = 0;
    int members = 0;
    for (int i = 0; i < g.count; ++i)
      if (whole(labels[i]) == j) {
        ++members;
        total += slope[i * g.length + k];
      }
    if (members > 0) dcentres[e] -= (g.each ? real(members) : real(1)) / (1 + real(members)) * total;
  }
}

KERNEL l1_loss_forward(const real* x, const real* t, real* slope, real* sums, int* tally, real* y, real* outcome,
                       int* noted, real* value, Locations g, real share, real eps, real plateau, real fixed, int n) {
  const real times = g.entries ? g.channels : 1;
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.outer * g.inner);
    real total = 0;
    int counted = 0;
    for (int j = threadIdx.x; j < size; j += BLOCK) {
      const int i = chunk * CHUNK + j, start = i / g.inner * g.channels * g.inner + i % g.inner;
      const int end = start + g.channels * g.inner;
      real square = 0;
      for (int k = start; k < end; k += g.inner) {
        real d = g.pairs ? x[k] - t[k] : x[k];
        const bool known = d == d || !g.skipping;
        counted += known;
        if (!known) d = 0;
        if (g.together) {
          slope[k] = d;
          square += share * d * d;
        } else {
          if (fabs(d) < plateau) d = 0;
          total += times * fabs(d);
          slope[k] = d == 0 || d != d ? d : d > 0 ? times : -times;
        }
      }
      if (g.together) {
        const bool flat = square < plateau * plateau;
        const real root = sqrt((flat ? real(0) : square) + eps);
        total += times * root;
        const real factor = flat || root == 0 ? real(0) : times * share / root;
        for (int k = start; k < end; k += g.inner) slope[k] *= factor;
      }
    }
    leave(chunk, total, counted, NONE, sums, tally);
  }
  conclude(x, sums, tally, y, outcome, noted, value, fixed, n);
}

// Items whose labels are equal; of several, whose product is above 0.
__device__ bool are_alike(const real* labels, int i, int j, int count) {
  if (count == 1) return whole(labels[i]) == whole(labels[j]);
  real product = 0;
  for (int l = 0; l < count; ++l) product += labels[i * count + l] * labels[j * count + l];
  return product > 0;
}

KERNEL hashing_loss_forward(const real* x, const real* labels, real* slope, real* sums, int* tally, real* y, real* outcome,
                            int* noted, real* value, Codes g, real margin, real tradeoff, real fixed, int n) {
  const real pairs = max(g.count * (g.count - 1), 1), weight = tradeoff / g.count;
  FOR_BLOCK(chunk, n) {
    const int size = chunk_size(chunk, g.count);
    real total = 0;
    for (int item = threadIdx.x; item < size; item += BLOCK) {
      const int i = chunk * CHUNK + item;
      const real* own = x + i * g.length;
      real* down = slope + i * g.length;
      for (int k = 0; k < g.length; ++k) {
        total += weight * fabs(fabs(own[k]) - 1);
        down[k] = own[k] >= 1 || (own[k] >= -1 && own[k] <= 0) ? weight : -weight;
      }
      for (int j = 0; j < g.count; ++j) {
        if (j == i) continue;
        const real* other = x + j * g.length;
        const bool alike = are_alike(labels, i, j, g.labels);
        real square = 0;
        for (int k = 0; k < g.length; ++k) square += (own[k] - other[k]) * (own[k] - other[k]);
        const real near = margin - square;
        if (j > i) total += (alike ? square : near > 0 ? near : real(0)) / pairs;
        const real sign = alike ? real(1) : near > 0 ? real(-1) : real(0);
        for (int k = 0; k < g.length; ++k) down[k] += sign * (own[k] - other[k]) / pairs;
      }
    }
    leave(chunk, total, 0, NONE, sums, tally);
  }
  conclude(labels, sums, tally, y, outcome, noted, value, fixed, n);
}
