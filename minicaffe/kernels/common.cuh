// Prefix of every .cu file.  cuda.py pastes it in front of the source, as it does with what the source includes
// (CuPy's compile cache looks at the source text alone), after `typedef float real;` and the geometry structs of the family.
//
// KERNEL name(...)   declares a kernel that the host finds by name, for blocks of BLOCK threads.
// FOR(i, n)          deals n work items to all threads of the grid: for kernels declared with threads=.
// FOR_BLOCK(i, n)    deals n work items to the blocks of the grid: for kernels declared with blocks=.
// warp_sum(v)        the sum of v over the warp, returned to every lane; all 32 lanes must call it.
// block_sum(v)       the sum of v over the block, returned to every thread; all threads must call it.
// warp_max, block_max   likewise the greatest.

// Of a block's BLOCK threads at least 1 block must fit a multiprocessor: so the compiler may take registers to read ahead,
// where without the 1 it would keep to 32 and wait for each read in turn.
#define KERNEL extern "C" __global__ void __launch_bounds__(BLOCK, 1)
// What passes 2^31 - 1 becomes negative, as unsigned more than any n.
#define FOR(i, n) \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; unsigned(i) < unsigned(n); i += blockDim.x * gridDim.x)
#define FOR_BLOCK(i, n) for (int i = blockIdx.x; i < (n); i += gridDim.x)

#define REAL_MAX (sizeof(real) == 4 ? real(3.402823466e+38) : real(1.7976931348623157e+308))
#define LANES 32
#define WARPS (BLOCK / LANES)

// What the lane whose number differs in `bits` holds.  A struct brings an overload of its own.
template <typename T> __device__ T across(T v, int bits) { return __shfl_xor_sync(0xffffffffu, v, bits); }

struct Plus {
  template <typename T> __device__ T operator()(T a, T b) const { return a + b; }
};

struct Greater {
  template <typename T> __device__ T operator()(T a, T b) const { return b > a ? b : a; }
};

// Lanes exchange what they have, 16 apart, then 8 ...: all of them end with the same bits, as a + b is b + a.
template <typename T, typename Join> __device__ T warp_joined(T v, Join join) {
  for (int bits = LANES / 2; bits > 0; bits /= 2) v = join(v, across(v, bits));
  return v;
}

// Each warp by shuffles, then its result through shared memory, where every thread joins those of all warps in the same
// order.  The first barrier lets a block call it again while slow threads still read the last result.
template <typename T, typename Join> __device__ T block_joined(T v, Join join) {
  __shared__ T part[WARPS];
  v = warp_joined(v, join);
  __syncthreads();
  if (threadIdx.x % LANES == 0) part[threadIdx.x / LANES] = v;
  __syncthreads();
  v = part[0];
  for (int warp = 1; warp < WARPS; ++warp) v = join(v, part[warp]);
  return v;
}

template <typename T> __device__ T warp_sum(T v) { return warp_joined(v, Plus()); }
template <typename T> __device__ T warp_max(T v) { return warp_joined(v, Greater()); }
template <typename T> __device__ T block_sum(T v) { return block_joined(v, Plus()); }
template <typename T> __device__ T block_max(T v) { return block_joined(v, Greater()); }
