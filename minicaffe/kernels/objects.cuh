// What matching.cu and multibox.cu share, on top of partial_sums.cuh: a row is an object.

#define ROW 8

enum { FREE = -1, OUTSIDE = -2, GROUND = -3, NO_OBJECT = -1 };
enum { NO_MINING, MAX_NEGATIVE, HARD_EXAMPLE };

// Is this a class that an object can have?
__device__ bool is_class(int label, const MultiBox& g) {
  return label >= 0 && label != g.background && (g.agnostic || label < g.classes);
}
