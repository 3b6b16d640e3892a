// What kernels call to work together: barriers, warp operations, atomics.
#pragma once

#include "../runtime/fault.h"
#include "../runtime/races.h"
#include "../runtime/scheduler.h"

// The default argument is evaluated where the kernel calls, so faults can name the line.
#define EMU_HERE emu::Place place = {__builtin_FILE(), __builtin_LINE()}

const unsigned EMU_WARP = 0xffffffffu;

// -- barriers

inline void __syncthreads(EMU_HERE) { emu::wait_for_block(emu::Barrier::PLAIN, 0, place); }
inline int __syncthreads_count(int vote, EMU_HERE) {
  return emu::wait_for_block(emu::Barrier::COUNT, vote, place);
}
inline int __syncthreads_or(int vote, EMU_HERE) {
  return emu::wait_for_block(emu::Barrier::OR, vote, place) != 0;
}
inline int __syncthreads_and(int vote, EMU_HERE) {
  return emu::wait_for_block(emu::Barrier::AND, !vote, place) == 0;
}
inline void __syncwarp(unsigned mask = EMU_WARP, EMU_HERE) { emu::wait_for_warp(mask, nullptr, nullptr, place); }

// Blocks run one after another and memory is coherent, so fences have nothing to do but what races.h looks at.
inline void __threadfence() { emu::note_fence(); }
inline void __threadfence_block() {}

// -- shuffles

namespace emu {

template <class T> struct Shuffle {
  T given, taken;
  int from;  // lane
};

template <class T> void shuffle_all(void** operands, unsigned mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    Shuffle<T>& self = *static_cast<Shuffle<T>*>(operands[lane]);
    if (mask >> self.from & 1)
      self.taken = static_cast<Shuffle<T>*>(operands[self.from])->given;
    else
      memset(&self.taken, 0xFF, sizeof(T));  // undefined on a GPU
  }
}

template <class T> T shuffle(unsigned mask, T value, int from, Place place) {
  Shuffle<T> self = {value, value, from};
  wait_for_warp(mask, shuffle_all<T>, &self, place);
  return self.taken;
}

}  // namespace emu

// `width` (a power of two) cuts the warp into segments; a lane that would read beyond its own reads itself.
template <class T> T __shfl_sync(unsigned mask, T value, int from, int width = 32, EMU_HERE) {
  const int segment = emu::current->lane & -width;
  return emu::shuffle(mask, value, segment | (from & (width - 1)), place);
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMU_HERE) {
  const int lane = emu::current->lane, from = lane ^ bits;
  return emu::shuffle(mask, value, from < (lane & -width) + width ? from : lane, place);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, EMU_HERE) {
  const int lane = emu::current->lane, from = lane + by;
  return emu::shuffle(mask, value, from < (lane & -width) + width ? from : lane, place);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, EMU_HERE) {
  const int lane = emu::current->lane, from = lane - by;
  return emu::shuffle(mask, value, from >= (lane & -width) ? from : lane, place);
}

// -- votes

namespace emu {

struct Vote {
  unsigned bits;  // in: 0 or 1; out: bit l for lane l
  unsigned mask;  // out: the lanes that voted
};

inline void vote_all(void** operands, unsigned mask) {
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) bits |= static_cast<Vote*>(operands[lane])->bits << lane;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) *static_cast<Vote*>(operands[lane]) = {bits, mask};
}

inline Vote vote(unsigned mask, bool value, Place place) {
  Vote self = {value, 0};
  wait_for_warp(mask, vote_all, &self, place);
  return self;
}

}  // namespace emu

inline unsigned __ballot_sync(unsigned mask, int value, EMU_HERE) { return emu::vote(mask, value, place).bits; }
inline int __any_sync(unsigned mask, int value, EMU_HERE) { return emu::vote(mask, value, place).bits != 0; }
inline int __all_sync(unsigned mask, int value, EMU_HERE) {
  const emu::Vote all = emu::vote(mask, value, place);
  return all.bits == all.mask;
}

// -- atomics: nothing interrupts a thread.  The second type keeps the value from deciding T.

#define EMU_ATOMIC template <class T> __attribute__((no_sanitize("thread")))

namespace emu {

template <class T> struct Same {
  using Type = T;
};

EMU_ATOMIC T replace(T* at, T value) {
  note_atomic(at);
  const T old = *at;
  *at = value;
  return old;
}

}  // namespace emu

EMU_ATOMIC T atomicAdd(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, T(*at + v)); }
EMU_ATOMIC T atomicSub(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, T(*at - v)); }
EMU_ATOMIC T atomicMax(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, *at > v ? *at : v); }
EMU_ATOMIC T atomicMin(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, *at < v ? *at : v); }
EMU_ATOMIC T atomicOr(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, *at | v); }
EMU_ATOMIC T atomicAnd(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, *at & v); }
EMU_ATOMIC T atomicExch(T* at, typename emu::Same<T>::Type v) { return emu::replace(at, v); }
EMU_ATOMIC T atomicCAS(T* at, typename emu::Same<T>::Type compare, typename emu::Same<T>::Type v) {
  return emu::replace(at, *at == compare ? v : *at);
}

template <class T> T __ldg(const T* at) { return *at; }
