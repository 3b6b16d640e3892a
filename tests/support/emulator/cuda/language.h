// CUDA C++ as g++ can read it: keywords, vector types, the built-in variables.
#pragma once

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static

// Blocks run one after another, so one copy serves all.  thread_local collects the shared variables of a library,
// those of templates too, in one range of memory that runtime/memory.cpp can find and poison; used keeps the
// compiler from taking one that no kernel writes for 0.
#define __shared__ static thread_local __attribute__((used))

// Dynamic shared memory as an array of T.  Its CUDA twin:
//   extern __shared__ __align__(16) unsigned char name##_bytes[]; T* name = reinterpret_cast<T*>(name##_bytes)
#define DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(emu::dynamic_shared)

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// The alignment is what makes the compiler report a misaligned vector access.
#define EMU_VECTORS(T, name, align2, align4)                       \
  struct __align__(align2) name##2 { T x, y; };                    \
  struct __align__(align4) name##4 { T x, y, z, w; };              \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }       \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

EMU_VECTORS(unsigned char, uchar, 2, 4)
EMU_VECTORS(int, int, 8, 16)
EMU_VECTORS(unsigned, uint, 8, 16)
EMU_VECTORS(float, float, 8, 16)
EMU_VECTORS(double, double, 16, 16)

#define threadIdx (emu::current->index)
#define blockIdx (emu::block_index)
#define blockDim (emu::block_size)
#define gridDim (emu::grid_size)
#define warpSize 32
