// The arrays of a launch.  A kernel never sees the caller's memory but a guarded copy of each array, so that an
// access outside the very array it was given is found, whatever lies beside that array.
#pragma once

#include <stddef.h>

#include <vector>

#include "memory.h"

namespace emu {

struct Array {
  const char* name;
  int element;   // bytes of one
  bool writable; // not const
  char* host;    // the caller's memory
  size_t bytes;
  void** slot;   // the argument: where the kernel's pointer goes
};

// What a kernel declares for a parameter.
struct Parameter {
  int bytes;     // of the value; of one element if it is a pointer
  int pointer;   // 1 for a pointer,
  int writable;  // 1 if not to const,
  int number;    // 1 if to plain numbers, not vectors or structs
};

// Make the copies for a number of runs; pointers keep their address modulo `alignment`.
void stage(Array* arrays, int count, int runs, const Side* sides, size_t alignment);

// Point the arguments at the copies of a run.
void use_copies(int run);

// Something wrong with the copies after all runs: in which run, the first byte of it, and in words.
struct Finding {
  int run;
  const char* byte;
  char text[256];
};

// Did a run write outside its arrays, or leave other values in them than the first run?
bool inspect_copies(Finding& finding);

// Give a run's copies the caller's values again; returns the copy, in that run, of a byte in any copy.
const char* restore_copies(int run, const char* byte);

// Copy what the first run left to the caller's memory.
void copy_back();

// Release the copies.
void unstage();

// Memory of the arrays of a run; those that overlap are one.
struct Region {
  const char* data;
  size_t bytes;
};
std::vector<Region> regions(int run);

// "x[15]" for an address in or near an array; false if there is none.
bool name(const void* address, char* text, size_t size);

// Say in words what lies at an address outside of readable memory; false if it is near no array.
bool describe(const void* address, char* text, size_t size);

}  // namespace emu
