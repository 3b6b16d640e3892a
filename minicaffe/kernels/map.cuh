// Elementwise kernels: y[i] = f(i, x[i], ...) for every i < n.  y may be one of the x.
//
// A thread takes EACH elements, BLOCK apart, and reads all of them before it writes the first.  The compiler cannot do so
// on its own, as y may be x; but a GPU that moves 4 TB/s needs some 3 MB under way to hide the latency of memory, and one
// 4-byte read by each thread that it can hold is a third of that.
template <typename F, typename... X> __device__ void map(int n, real* y, F f, const X*... x) {
  enum { EACH = 4, TILE = EACH * BLOCK };
  const int tiles = (n - 1) / TILE + 1;
  FOR_BLOCK(tile, tiles) {
    const unsigned first = unsigned(tile) * TILE + threadIdx.x, last = n - 1;
    real result[EACH];
    // Beyond the end the last element is read and dropped: with no branch between them the reads can all go ahead.
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
      const int i = min(first + k * BLOCK, last);
      result[k] = f(i, x[i]...);
    }
#pragma unroll
    for (int k = 0; k < EACH; ++k)
      if (first + k * BLOCK <= last) y[first + k * BLOCK] = result[k];
  }
}
