// CUDA half of selection.py: a block works on one long column together, or each of its threads on a short one.

// An element of a column; index -1 stands for none, which comes last.
struct Element { real value; int index; };

__device__ Element across(const Element& e, int bits) { return {across(e.value, bits), across(e.index, bits)}; }

// Does a come before b?
__device__ bool operator>(const Element& a, const Element& b) {
  if (a.index < 0 || b.index < 0) return a.index > b.index;
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan || b_nan) return a_nan && (!b_nan || a.index > b.index);
  return a.value > b.value || (a.value == b.value && a.index > b.index);
}

KERNEL select_highest(const real* x, real* y, Selection g, int n) {
  const bool together = g.classes >= BLOCK;
  const int lane = together ? threadIdx.x : 0, lanes = together ? BLOCK : 1;
  FOR_BLOCK(item, n) {
    const int column = together ? item : item * BLOCK + threadIdx.x;
    if (column >= g.outer * g.inner) continue;  // only where threads work alone, without barriers
    const int outer = column / g.inner, inner = column % g.inner;
    const real* source = x + outer * g.classes * g.inner + inner;
    real* target = y + outer * (g.indices + g.values) * g.top * g.inner + inner;
    Element last = {0, -1};
    for (int rank = 0; rank < g.top; ++rank) {
      Element best = {0, -1};
      for (int c = lane; c < g.classes; c += lanes) {
        const Element here = {source[c * g.inner], c};
        if ((last.index < 0 || last > here) && here > best) best = here;
      }
      if (together) best = block_max(best);
      if (lane == 0) {
        if (g.indices) target[rank * g.inner] = best.index;
        if (g.values) target[(g.indices * g.top + rank) * g.inner] = best.value;
      }
      last = best;
    }
  }
}
