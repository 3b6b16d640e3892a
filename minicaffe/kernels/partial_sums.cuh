// What the CUDA halves of loss.py, likelihood.py and margin.py share: partial sums over chunks of positions.

#define CHUNK 1024  // as in loss.py
#define NONE 2147483647

// Of NaN and what does not fit, C++ leaves the conversion undefined.
__device__ int whole(real label) { return fabs(label) < 2147483648.0 ? int(label) : -2147483647 - 1; }

// Positions of a chunk; the last one may be short.
__device__ int chunk_size(int chunk, int positions) { return min(CHUNK, positions - chunk * CHUNK); }

// A block's partial results; all threads must call it.
__device__ void leave(int chunk, real total, int counted, int first, real* sums, int* tally) {
  total = block_sum(total);
  counted = block_sum(counted);
  first = -block_max(-first);
  if (threadIdx.x == 0) {
    sums[chunk] = total;
    tally[2 * chunk] = counted;
    tally[2 * chunk + 1] = first;
  }
}
