// CUDA half of delivery.py: a thread per unit, which reads and writes it at once; the last one of a piece goes byte by byte.

#define UNIT 16

// Copies unit i of a piece; returns i as counted from the next piece on.
__device__ int hand_over(const unsigned char* slab, unsigned char* out, int start, int bytes, int i) {
  const int units = (bytes + UNIT - 1) / UNIT;
  if (i >= 0 && i < units) {
    const unsigned char* from = slab + (size_t(start) + i) * UNIT;
    unsigned char* to = out + size_t(i) * UNIT;
    if (bytes - i * UNIT >= UNIT) {
      *reinterpret_cast<int4*>(to) = *reinterpret_cast<const int4*>(from);
    } else {
      for (int b = 0; b < bytes - i * UNIT; ++b) to[b] = from[b];
    }
  }
  return i - units;
}

KERNEL hand_out(const unsigned char* slab, unsigned char* a, unsigned char* b, unsigned char* c, unsigned char* d,
                unsigned char* e, unsigned char* f, Pieces g, int n) {
  FOR(unit, n) {
    int i = hand_over(slab, a, g.a_start, g.a_bytes, unit);
    i = hand_over(slab, b, g.b_start, g.b_bytes, i);
    i = hand_over(slab, c, g.c_start, g.c_bytes, i);
    i = hand_over(slab, d, g.d_start, g.d_bytes, i);
    i = hand_over(slab, e, g.e_start, g.e_bytes, i);
    hand_over(slab, f, g.f_start, g.f_bytes, i);
  }
}
