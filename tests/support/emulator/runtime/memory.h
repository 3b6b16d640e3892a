// Memory that notices misuse: it begins as NaN, and accesses outside it fault or leave a trace.
#pragma once

#include <stddef.h>

namespace emu {

// Every byte of memory that nothing was written to: NaN in every floating type, -1 in every integer type.
const int POISON = 0xFF;

// Which end of an array meets an unreadable page exactly.
enum Side : int { END, START };

// A piece of memory between unreadable pages.
class Guarded {
 public:
  // Memory for `bytes` bytes, whose address is `phase` modulo `alignment` (a power of two).
  void take(size_t bytes, Side side, size_t alignment = 1, size_t phase = 0);
  void give_back();

  // Poison what lies between the data and the unreadable pages.
  void poison_around() const;

  char* data = nullptr;
  size_t bytes = 0;

  // The first of those bytes that was written to since; null if none was.
  const char* trace() const;

  // Is the address in this memory or in the unreadable pages around it?
  bool around(const void* address) const;

 private:
  char* pages_ = nullptr;
  size_t pages_bytes_ = 0;
};

// Give what is kept for further launches back to the system.
void release_memory();

// Poison the shared memory of a block that is about to start, static and dynamic.
void poison_shared();

// Dynamic shared memory of this launch.
extern Guarded dynamic_memory;

// Find the static shared variables of this library.
void find_static_shared();

}  // namespace emu
