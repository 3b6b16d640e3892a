// Tensor cores and asynchronous copies, under the names that wrap the PTX instructions on a GPU.
//
//   f32_to_tf32(x)             cvt.rna.tf32.f32
//   mma_m16n8k8_tf32(d, a, b)  mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32, d += a b
//   cp_async<N>(to, from, ok)  cp.async.cg (16 bytes) or .ca (4, 8): copies N bytes, or writes zeros unless ok
//   cp_async_commit()          cp.async.commit_group
//   cp_async_wait<N>()         cp.async.wait_group N
#pragma once

#include "../runtime/async_copy.h"
#include "arithmetic.h"
#include "intrinsics.h"

// The nearest number with a 10-bit mantissa; a tie goes away from zero.
inline uint32_t f32_to_tf32(float x) {
  const uint32_t bits = __float_as_uint(x), exponent = 0x7f800000u;
  return ((bits & exponent) == exponent ? bits : bits + 0x1000u) & ~0x1fffu;
}

namespace emu {

struct Mma {
  float* d;
  const uint32_t *a, *b;
};

inline float tf32(uint32_t bits) { return __uint_as_float(bits & ~0x1fffu); }  // the low bits are not looked at

// Lane l, with g = l / 4 and t = l % 4, holds
//   of a (16 x 8): rows g and g + 8 of column t, then of column t + 4
//   of b (8 x 8):  rows t and t + 4 of column g
//   of d (16 x 8): columns 2t and 2t + 1 of row g, then of row g + 8
inline void mma_all(void** operands, unsigned mask) {
  if (mask != EMU_WARP) fail(current, "calls mma, which needs all 32 lanes, with %#x", mask);
  float a[16][8], b[8][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Mma& self = *static_cast<Mma*>(operands[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = tf32(self.a[i]);
    for (int i = 0; i < 2; ++i) b[t + i * 4][g] = tf32(self.b[i]);
  }
  for (int lane = 0; lane < 32; ++lane) {
    const Mma& self = *static_cast<Mma*>(operands[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float total = self.d[i];
      for (int k = 0; k < 8; ++k) total += a[row][k] * b[k][column];
      self.d[i] = total;
    }
  }
}

}  // namespace emu

inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], EMU_HERE) {
  emu::Mma self = {d, a, b};
  emu::wait_for_warp(EMU_WARP, emu::mma_all, &self, place);
}

template <int N> void cp_async(void* to, const void* from, bool ok) {
  static_assert(N == 4 || N == 8 || N == 16, "cp.async copies 4, 8 or 16 bytes");
  static const char zeros[16] = {};
  if (reinterpret_cast<uintptr_t>(to) % N || reinterpret_cast<uintptr_t>(from) % N)
    emu::fail(emu::current, "calls cp.async with an address that is no multiple of %d", N);
  emu::begin_copy(to, ok ? from : zeros, N);
}
inline void cp_async_commit() { emu::commit_copies(); }
template <int N> void cp_async_wait() { emu::wait_for_copies(N); }
