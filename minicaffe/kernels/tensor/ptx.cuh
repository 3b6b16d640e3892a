// PTX instructions under the names that the tests' emulator gives its own versions of: the only #ifdef in device code.

#ifdef __CUDACC__

typedef unsigned int uint32_t;

// Dynamic shared memory as an array of T.
#define DYNAMIC_SHARED(T, name)                                  \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  T* const name = reinterpret_cast<T*>(name##_bytes)

// The nearest number with a mantissa of 10 bits; a tie goes away from zero.
__device__ __forceinline__ uint32_t f32_to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// d (16 x 8) += a (16 x 8) b (8 x 8), by the 32 threads of a warp.  Lane l, with g = l / 4 and t = l % 4, holds
//   of a: rows g and g + 8 of column t, then of column t + 4
//   of b: rows t and t + 4 of column g
//   of d: columns 2t and 2t + 1 of row g, then of row g + 8
// The low 13 bits of a and b are not looked at.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Copies N bytes (4, 8, 16) from global to shared memory in the background; zeros, and no read, unless ok.
template <int N> __device__ __forceinline__ void cp_async(void* to, const void* from, bool ok) {
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = ok ? N : 0;
  if (N == 16)  // .cg: past the L1 cache, which only 16 bytes at a time may go
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from), "n"(N), "r"(bytes) : "memory");
}

// Close the group of copies begun since the last; then wait until at most N of the closed groups are under way.
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> __device__ __forceinline__ void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

#endif
