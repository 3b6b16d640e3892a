// A warp's share of a tile: acc (WM x WN) += a (WM x DEPTH) b (DEPTH x WN), of slices staged in shared memory.
//
// a lies at as[m * A_ROW + k], b at bs[k * B_ROW + n * B_COLUMN].  A fragment's 32 values come from 32 different
// banks if A_ROW and one of b's strides are DEPTH + 4 (k runs fastest) or b's row is 8 more than a multiple of 32.
//
// PASSES = 1: TF32, factors of 10 bits, to which those of a have been rounded before if A_ROUNDED.  PASSES = 3: every factor is split, x = high + low of 10 bits each, and
// three of the four products are summed; the fourth, low * low, is 2^-22 of the whole.  Tensor cores do not round a
// sum but cut it, toward zero, which would add up over a long k: so they sum 8 products at a time, and float32
// additions the rest.  Results are about as exact as in float32, at a third of the speed.

const int DEPTH = 16;  // of a slice

template <int WM, int WN> struct Accumulators {
  float of[WM / 16][WN / 8][4];
};

// x = high + low + something below 2^-21 |x|; a NaN stays one.
__device__ __forceinline__ void split(float x, uint32_t& high, uint32_t& low) {
  high = f32_to_tf32(x);
  low = __float_as_uint(x - __uint_as_float(high));  // mma cuts it to 10 bits; its sign is any, so nothing adds up
}

template <int PASSES, bool A_ROUNDED, int WM, int WN, int A_ROW, int B_ROW, int B_COLUMN>
__device__ __forceinline__ void multiply(Accumulators<WM, WN>& acc, const float* as, const float* bs) {
  constexpr int SPLIT = PASSES == 3;
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  as += g * A_ROW + t;
  bs += t * B_ROW + g * B_COLUMN;
#pragma unroll(SPLIT ? 1 : 2)  // both halves of both steps would not fit the registers
  for (int k = 0; k < DEPTH; k += 8, as += 8, bs += 8 * B_ROW) {
    if constexpr (SPLIT) {
      uint32_t b[WN / 8][2], b_low[WN / 8][2];
#pragma unroll
      for (int j = 0; j < WN / 8; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) split(bs[e * 4 * B_ROW + j * 8 * B_COLUMN], b[j][e], b_low[j][e]);
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) {
        uint32_t a[4], a_low[4];
#pragma unroll
        for (int e = 0; e < 4; ++e) split(as[(i * 16 + e % 2 * 8) * A_ROW + e / 2 * 4], a[e], a_low[e]);
        // Small products first; and no sum thrice in a row, which would wait for itself.
        float sum[WN / 8][4] = {};
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) mma_m16n8k8_tf32(sum[j], a_low, b[j]);
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) mma_m16n8k8_tf32(sum[j], a, b_low[j]);
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) mma_m16n8k8_tf32(sum[j], a, b[j]);
#pragma unroll
        for (int j = 0; j < WN / 8; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) acc.of[i][j][e] += sum[j][e];
      }
    } else {
      uint32_t a[WM / 16][4];
#pragma unroll
      for (int i = 0; i < WM / 16; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const float x = as[(i * 16 + e % 2 * 8) * A_ROW + e / 2 * 4];
          a[i][e] = A_ROUNDED ? __float_as_uint(x) : f32_to_tf32(x);
        }
#pragma unroll
      for (int j = 0; j < WN / 8; ++j) {
        uint32_t b[2];
#pragma unroll
        for (int e = 0; e < 2; ++e) b[e] = f32_to_tf32(bs[e * 4 * B_ROW + j * 8 * B_COLUMN]);
#pragma unroll
        for (int i = 0; i < WM / 16; ++i) mma_m16n8k8_tf32(acc.of[i][j], a[i], b);
      }
    }
  }
}

// Calls store(row, column, value) for each value that this thread holds of the warp's share.
template <int WM, int WN, class Store> __device__ __forceinline__ void each_value(const Accumulators<WM, WN>& acc, Store store) {
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int i = 0; i < WM / 16; ++i)
#pragma unroll
    for (int j = 0; j < WN / 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) store(i * 16 + g + e / 2 * 8, j * 8 + 2 * t + e % 2, acc.of[i][j][e]);
}
