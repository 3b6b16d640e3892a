// CUDA half of partial_sums.py.

#define CHUNK 1024  // as in partial_sums.py
#define NONE 2147483647

enum { FIRST, ARRIVED };  // entries of noted
enum { DIVISOR, RESULT };  // entries of outcome

// Of NaN and what does not fit, C++ leaves the conversion undefined.
__device__ int whole(real label) { return fabs(label) < 2147483648.0 ? int(label) : -2147483647 - 1; }

// Positions of a chunk; the last one may be short.
__device__ int chunk_size(int chunk, int positions) { return min(CHUNK, positions - chunk * CHUNK); }

// Of some positions: the sum, how many count, and the first whose label is none.
template <typename T> struct Partial { T total; int counted, first; };

template <typename T> __device__ Partial<T> across(const Partial<T>& v, int bits) {
  return {across(v.total, bits), across(v.counted, bits), across(v.first, bits)};
}

struct Together {
  template <typename T> __device__ Partial<T> operator()(const Partial<T>& a, const Partial<T>& b) const {
    return {a.total + b.total, a.counted + b.counted, min(a.first, b.first)};
  }
};

__device__ void store(int chunk, const Partial<real>& part, real* sums, int* tally) {
  sums[chunk] = part.total;
  tally[2 * chunk] = part.counted;
  tally[2 * chunk + 1] = part.first;
}

// A block's partial results of a chunk; all threads must call it.
__device__ void leave(int chunk, real total, int counted, int first, real* sums, int* tally) {
  const Partial<real> all = block_joined(Partial<real>{total, counted, first}, Together());
  if (threadIdx.x == 0) store(chunk, all, sums, tally);
}

// Every kernel of a measure ends with it, and all threads call it.  The block that arrives last puts the partial results of
// all chunks together, always in the same order: the blocks count themselves in noted[ARRIVED], which is 0 between launches.
// What a block wrote before its fence the last one sees behind its own.
__device__ void conclude(const real* labels, const real* sums, const int* tally, real* y, real* outcome, int* noted,
                       real* value, real fixed, int chunks) {
  __shared__ bool last;
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicAdd(noted + ARRIVED, 1) == int(gridDim.x) - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last) return;
  Partial<double> all = {0, 0, NONE};
  for (int chunk = threadIdx.x; chunk < chunks; chunk += BLOCK)
    all = Together()(all, Partial<double>{sums[chunk], tally[2 * chunk], tally[2 * chunk + 1]});
  all = block_joined(all, Together());
  if (threadIdx.x != 0) return;
  noted[ARRIVED] = 0;
  outcome[DIVISOR] = fixed > 0 ? fixed : real(max(all.counted, 1));
  y[0] = outcome[RESULT] = real(all.total / outcome[DIVISOR]);
  if (noted[FIRST] == NONE && all.first != NONE) {
    noted[FIRST] = all.first;
    value[0] = labels[all.first];
  }
}
