// Sums over a channel: the elements [., c, .] of arrays (outer, channels, inner), by one block.  Behind divisor.cuh and
// vector.cuh.

// f added up over the elements of vectors.
template <int N, typename F, typename... V> __device__ auto sum_within(F f, const V&... v) {
  auto total = f(v.of[0]...);
  for (int j = 1; j < N; ++j) total = total + f(v.of[j]...);
  return total;
}

// A thread's part of the sum.  It reads EACH vectors, BLOCK apart, before it adds: a channel may be megabytes, and is read
// by only one block, so that much must be under way at a time.  Each has a total of its own, which ends the wait of one
// addition for another.
template <int N, typename F, typename... X>
__device__ auto thread_part(int outer, int channels, int inner, int c, F f, const X*... x) {
  enum { EACH = sizeof...(X) == 1 ? 8 : 4 };
  const int vectors = inner / N;
  const unsigned count = outer * vectors;
  const Divisor row_of(vectors);
  decltype(f(*x...)) total[EACH] = {};
  for (unsigned first = threadIdx.x; first < count; first += EACH * BLOCK) {
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
      const int t = min(first + k * BLOCK, count - 1), row = t / row_of;  // the last is read again, and dropped
      const int at = (row * channels + c) * inner + (t - row * vectors) * N;
      const auto part = sum_within<N>(f, load<N>(x + at)...);
      if (first + k * BLOCK < count) total[k] = total[k] + part;
    }
  }
  for (int k = 1; k < EACH; ++k) total[0] = total[0] + total[k];
  return total[0];
}

// The sum of f(x, ...) over channel c, returned to every thread; all threads must call it.
template <typename F, typename... X>
__device__ auto channel_sum(int outer, int channels, int inner, int c, F f, const X*... x) {
  const bool wide = inner % WIDTH == 0 && aligned(x...);
  return block_sum(wide ? thread_part<WIDTH>(outer, channels, inner, c, f, x...)
                        : thread_part<1>(outer, channels, inner, c, f, x...));
}
