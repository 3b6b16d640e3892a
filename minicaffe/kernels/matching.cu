// CUDA half of matching.py.

#include "divisor.cuh"
#include "overlap.cuh"
#include "partial_sums.cuh"
#include "objects.cuh"

#define LEAST real(1e-6)

// Of some boxes the one that overlaps an object most.
struct Closest { real most; int box; };

__device__ Closest across(const Closest& v, int bits) { return {across(v.most, bits), across(v.box, bits)}; }

struct Closer {
  __device__ Closest operator()(const Closest& a, const Closest& b) const {
    return b.most > a.most || (b.most == a.most && b.box < a.box) ? b : a;
  }
};

// Is this an object of image item / sets, and of the class, that counts?
__device__ bool belongs(const real* object, int item, const MultiBox& g) {
  const int image = whole(object[0]), label = whole(object[1]);
  return image == item / g.sets && (g.sets == 1 || label == item % g.sets) && is_class(label, g) &&
         (g.difficult || object[7] == 0);
}

__device__ bool leaves(const real* box) {
  for (int k = 0; k < 4; ++k)
    if (box[k] < 0 || box[k] > 1) return true;
  return false;
}

// The free box that overlaps an object most, box -1 if none does.  A thread alone looks at its boxes, so near needs no care.
__device__ Closest closest(const real* box, const real* object, const int* mine, real* near, const MultiBox& g) {
  Closest best = {LEAST, g.priors};
  for (int p = threadIdx.x; p < g.priors; p += BLOCK) {
    if (mine[p] != FREE) continue;
    const real common = overlap(box + 4 * p, object + 3);
    if (common > LEAST) near[p] = max(near[p], common);
    if (common > best.most) best = {common, p};
  }
  best = block_joined(best, Closer());
  if (best.box == g.priors) best.box = -1;
  return best;
}

// The object whose closest box is the closest of all, -1 when there is none: every thread finds it by itself.
__device__ int next_pair(const real* truth, const int* best, const real* nearness, int item, const MultiBox& g) {
  int pick = -1;
  for (int row = 0; row < g.rows; ++row)
    if (belongs(truth + ROW * row, item, g) && best[row] >= 0)
      if (pick < 0 || nearness[row] > nearness[pick] ||
          (nearness[row] == nearness[pick] && best[row] < best[pick]))
        pick = row;
  return pick;
}

// A block has one image and set.
KERNEL match_boxes(const real* truth, const real* boxes, int* match, real* close, int* best, real* nearness,
                   int* positives, MultiBox g, real threshold, int n) {
  FOR_BLOCK(item, n) {
    int *mine = match + item * g.priors, objects = 0, own = 0;
    real* near = close + item * g.priors;
    const real* box = g.predicted ? boxes + item * g.priors * 4 : boxes;
    for (int p = threadIdx.x; p < g.priors; p += BLOCK) {
      mine[p] = g.crossing && leaves(box + 4 * p) ? OUTSIDE : FREE;
      near[p] = 0;
    }
    for (int row = 0; row < g.rows; ++row) {
      if (!belongs(truth + ROW * row, item, g)) continue;
      ++objects;
      const Closest found = closest(box, truth + ROW * row, mine, near, g);
      if (threadIdx.x == 0) {
        best[row] = found.box;
        nearness[row] = found.most;
      }
    }
    __syncthreads();
    for (int pick = next_pair(truth, best, nearness, item, g); pick >= 0;
         pick = next_pair(truth, best, nearness, item, g)) {
      const int taken = best[pick];
      __syncthreads();
      if (taken % BLOCK == threadIdx.x) {
        mine[taken] = pick;
        ++own;
      }
      if (threadIdx.x == 0) best[pick] = -1;
      for (int row = 0; row < g.rows; ++row) {
        if (row == pick || !belongs(truth + ROW * row, item, g) || best[row] != taken) continue;
        const Closest found = closest(box, truth + ROW * row, mine, near, g);
        if (threadIdx.x == 0) {
          best[row] = found.box;
          nearness[row] = found.most;
        }
      }
      __syncthreads();
    }
    for (int p = threadIdx.x; p < g.priors && !g.one_object; p += BLOCK) {
      if (mine[p] != FREE || !(near[p] > 0 && near[p] >= threshold)) continue;
      real most = LEAST;
      for (int row = 0; row < g.rows; ++row) {
        if (!belongs(truth + ROW * row, item, g)) continue;
        const real common = overlap(box + 4 * p, truth + ROW * row + 3);
        if (common > most) {
          mine[p] = row;
          most = common;
        }
      }
      own += mine[p] >= 0;
    }
    const int count = block_sum(own);
    if (threadIdx.x == 0) positives[item] = objects ? count : NO_OBJECT;
  }
}

// Does loss a of box p come before loss b of box q?
__device__ bool precedes(real a, int p, real b, int q) {
  if (a != a || b != b) return a != a && (b == b || p < q);
  return a > b || (a == b && p < q);
}

// How many candidates of an image come before box p.
__device__ int rank_of(int p, const real* loss, const MultiBox& g) {
  int before = 0;
  for (int q = 0; q < g.priors; ++q) before += !(loss[q] < 0) && precedes(loss[q], q, loss[p], p);
  return before;
}

__device__ int most_examples(int positives, const MultiBox& g, real ratio, int sample) {
  return positives == NO_OBJECT ? 0 : g.mining == HARD_EXAMPLE ? sample : int(positives * ratio);
}

__device__ void settle(int* match, bool chosen) {
  if (chosen && *match == FREE) *match = GROUND;
  if (!chosen && *match >= 0) *match = FREE;
}

// A thread has one box, and counts those that come before it.
KERNEL keep_hardest(const real* losses, const int* positives, int* match, int* heap, MultiBox g, real ratio, int sample,
                    int n) {
  const Divisor priors(g.priors);
  FOR(i, n) {
    const int image = i / priors;
    const real* loss = losses + image * g.priors;
    if (losses[i] < 0) continue;
    heap[i] = rank_of(i - image * g.priors, loss, g);
    settle(match + i, heap[i] < most_examples(positives[image], g, ratio, sample));
  }
}

// A block has one image: its threads put the candidates in order, then all look together at one after the other.
KERNEL keep_hardest_apart(const real* losses, const real* boxes, const int* positives, int* match, int* order, int* kept,
                          MultiBox g, real ratio, int sample, int most, real allowed, int own, int n) {
  FOR_BLOCK(image, n) {
    const int first = image * g.priors, wanted = most_examples(positives[image], g, ratio, sample);
    const real *loss = losses + first, *box = own ? boxes + first * 4 : boxes;
    int mine = 0, count = 0;
    for (int p = threadIdx.x; p < g.priors; p += BLOCK) {
      if (loss[p] < 0) continue;
      order[first + rank_of(p, loss, g)] = p;
      ++mine;
    }
    const int size = block_sum(mine);
    __syncthreads();
    for (int rank = 0; rank < size; ++rank) {
      const int p = order[first + rank];
      int covered = rank >= most || count >= wanted;
      for (int i = threadIdx.x; i < count && !covered; i += BLOCK)
        covered = overlap(box + 4 * p, box + 4 * kept[first + i]) > allowed;
      covered = block_max(covered);
      if (threadIdx.x == 0) {
        settle(match + first + p, !covered);
        if (!covered) kept[first + count] = p;
      }
      count += !covered;
      __syncthreads();
    }
  }
}
