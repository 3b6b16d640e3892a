// CUDA half of detection.py.

#include "divisor.cuh"
#include "overlap.cuh"

enum { CORNER = 1, CENTER_SIZE, CORNER_SIZE };

KERNEL decode_boxes(const real* loc, const real* prior, real* boxes, Detection g, int n) {
  const Divisor priors(g.priors), sets(g.sets);
  FOR(item, n) {
    const int outer = item / priors, p = item - outer * g.priors, image = outer / sets;
    const real* offset = loc + ((image * g.priors + p) * g.sets + outer - image * g.sets) * 4;
    const real *base = prior + p * 4, *v = prior + (g.priors + p) * 4;
    const real width = base[2] - base[0], height = base[3] - base[1];
    real d[4];
    for (int k = 0; k < 4; ++k) d[k] = g.encoded ? offset[k] : offset[k] * v[k];
    real* out = boxes + item * 4;
    if (g.code == CENTER_SIZE) {
      const real x = d[0] * width + (base[0] + base[2]) / 2, y = d[1] * height + (base[1] + base[3]) / 2;
      const real across = exp(d[2]) * width / 2, down = exp(d[3]) * height / 2;
      out[0] = x - across;
      out[1] = y - down;
      out[2] = x + across;
      out[3] = y + down;
    } else {
      for (int k = 0; k < 4; ++k)
        out[k] = base[k] + (g.code == CORNER_SIZE ? d[k] * (k % 2 ? height : width) : d[k]);
    }
  }
}

// A block has one image and class.  Of each candidate its threads count those that come before it, which is its place; then
// all look together whether the next candidate overlaps one that is kept.
KERNEL select_boxes(const real* conf, const real* boxes, int* order, int* kept, real* scores, int* counts, Detection g,
                    real threshold, real allowed, real eta, int n) {
  FOR_BLOCK(item, n) {
    const int image = item / g.classes, c = item - image * g.classes;
    const real* score = conf + image * g.priors * g.classes + c;
    const real* box = boxes + (image * g.sets + (g.sets > 1 ? c : 0)) * g.priors * 4;
    int* sorted = order + item * g.priors;
    int* found = kept + item * g.most;
    int own = 0;
    for (int p = threadIdx.x; p < g.priors && c != g.background; p += BLOCK) {
      const real mine = score[p * g.classes];
      if (!(mine > threshold)) continue;
      int place = 0;
      for (int q = 0; q < g.priors; ++q) {
        const real other = score[q * g.classes];
        place += other > mine || (other == mine && q < p);
      }
      if (place < g.most) sorted[place] = p;
      ++own;
    }
    const int candidates = min(block_sum(own), g.most);
    __syncthreads();
    int count = 0;
    real limit = allowed;
    for (int next = 0; next < candidates; ++next) {
      const int p = sorted[next];
      int covered = 0;
      for (int i = threadIdx.x; i < count; i += BLOCK) covered |= overlap(box + 4 * p, box + 4 * found[i]) > limit;
      if (block_max(covered)) continue;
      if (threadIdx.x == 0) {
        found[count] = p;
        scores[item * g.most + count] = score[p * g.classes];
      }
      __syncthreads();
      ++count;
      if (eta < 1 && limit > real(0.5)) limit *= eta;
    }
    if (threadIdx.x == 0) counts[item] = count;
  }
}

KERNEL write_detections(const real* boxes, const int* picks, const real* scores, real* rows, Detection g, int n) {
  FOR(r, n) {
    const int image = picks[4 * r], c = picks[4 * r + 1], p = picks[4 * r + 2];
    const real* box = boxes + ((image * g.sets + (g.sets > 1 ? c : 0)) * g.priors + p) * 4;
    real* row = rows + 7 * r;
    row[0] = image;
    row[1] = c;
    row[2] = scores[picks[4 * r + 3]];
    for (int k = 0; k < 4; ++k) row[3 + k] = box[k];
  }
}
