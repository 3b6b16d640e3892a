// Prefix of every .cu file.  cuda.py pastes it in front of the source, as it does with what the source includes
// (CuPy's compile cache looks at the source text alone), after `typedef float real;` and the geometry structs of the family.
//
// KERNEL name(...)   declares a kernel that the host finds by name.
// FOR(i, n)          deals n work items to all threads of the grid: for kernels declared with threads=.
// FOR_BLOCK(i, n)    deals n work items to the blocks of the grid: for kernels declared with blocks=.
// block_sum(v)       the sum of v over the block, returned to every thread; all threads must call it.

#define KERNEL extern "C" __global__ void
#define FOR(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)
#define FOR_BLOCK(i, n) for (int i = blockIdx.x; i < (n); i += gridDim.x)

#define REAL_MAX (sizeof(real) == 4 ? real(3.402823466e+38) : real(1.7976931348623157e+308))

// A tree over shared memory; the barrier in front lets a block call it again while slow threads still read the last
// result.  Every block has BLOCK threads, a power of two.
template <typename T> __device__ T block_sum(T v) {
  __shared__ T part[BLOCK];
  __syncthreads();
  part[threadIdx.x] = v;
  __syncthreads();
  for (int half = BLOCK / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    __syncthreads();
  }
  return part[0];
}

template <typename T> __device__ T block_max(T v) {
  __shared__ T part[BLOCK];
  __syncthreads();
  part[threadIdx.x] = v;
  __syncthreads();
  for (int half = BLOCK / 2; half > 0; half /= 2) {
    if (threadIdx.x < half && part[threadIdx.x + half] > part[threadIdx.x]) part[threadIdx.x] = part[threadIdx.x + half];
    __syncthreads();
  }
  return part[0];
}
