// CUDA half of broadcast.py: forward one thread per element of y, a gradient one block per element of a.

// An index along each axis, of a flat one in row-major order over extents of which the first is not needed.
struct Index { int i, j, k, l, m; };
__device__ Index index_of(int e, int n1, int n2, int n3, int n4) {
  const int m = e % n4, l = e / n4 % n3, k = e / (n4 * n3) % n2, j = e / (n4 * n3 * n2) % n1;
  return {e / (n4 * n3 * n2 * n1), j, k, l, m};
}
__device__ int in_a(const Index& x, const Pair& g) {
  return x.i * g.a0 + x.j * g.a1 + x.k * g.a2 + x.l * g.a3 + x.m * g.a4;
}
__device__ int in_b(const Index& x, const Pair& g) {
  return x.i * g.b0 + x.j * g.b1 + x.k * g.b2 + x.l * g.b3 + x.m * g.b4;
}
__device__ int in_y(const Index& x, const Pair& g) {
  return (((x.i * g.n1 + x.j) * g.n2 + x.k) * g.n3 + x.l) * g.n4 + x.m;
}

KERNEL broadcast_forward(const real* a, const real* b, real* y, Pair g, int product, int n) {
  FOR(o, n) {
    const Index x = index_of(o, g.n1, g.n2, g.n3, g.n4);
    const real first = a[in_a(x, g)], second = b[in_b(x, g)];
    y[o] = product ? first * second : first + second;
  }
}

__device__ int kept(int extent, int step) { return step ? extent : 1; }
__device__ int summed(int extent, int step) { return step ? 1 : extent; }

KERNEL broadcast_gradient(const real* dy, const real* b, real* da, Pair g, int product, int add, int n) {
  const int s1 = summed(g.n1, g.a1), s2 = summed(g.n2, g.a2), s3 = summed(g.n3, g.a3), s4 = summed(g.n4, g.a4);
  const int count = summed(g.n0, g.a0) * s1 * s2 * s3 * s4;
  FOR_BLOCK(e, n) {
    const Index own = index_of(e, kept(g.n1, g.a1), kept(g.n2, g.a2), kept(g.n3, g.a3), kept(g.n4, g.a4));
    const int slopes = in_y(own, g), factors = in_b(own, g);
    real total = 0;
    for (int t = threadIdx.x; t < count; t += BLOCK) {
      const Index one = index_of(t, s1, s2, s3, s4);
      const real slope = dy[slopes + in_y(one, g)];
      total += product ? slope * b[factors + in_b(one, g)] : slope;
    }
    total = block_sum(total);
    if (threadIdx.x == 0) da[e] = add ? da[e] + total : total;
  }
}
