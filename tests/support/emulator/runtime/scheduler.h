// The running block: its threads, what each waits for, and how kernels wait.
//
// One OS thread runs everything.  Threads of the block run one after another on fibers; a thread gives way only
// where it must wait for others, so the order in which threads run is ours to choose.  Any order the choice below
// can make is one a GPU may take: a kernel whose result depends on it lacks a barrier.
#pragma once

#include <stdint.h>

#include "../cuda/language.h"

namespace emu {

enum Order : int { FORWARD, REVERSE, RANDOM };

enum class State { UNSTARTED, READY, AT_BARRIER, IN_WARP, DONE };

// Computes a warp operation once every lane in `mask` is there: operands[lane] is what that lane brought.
using Collective = void (*)(void** operands, unsigned mask);

enum class Barrier : int { PLAIN, COUNT, AND, OR };

// Where a thread waits, in the kernel's source.
struct Place {
  const char* file;
  int line;
};

struct Thread {
  uint3 index;  // threadIdx
  int lane, warp;
  State state;
  char* stack;          // of its fiber,
  void* stack_pointer;  // while it waits
  Place place;
  Barrier barrier;      // AT_BARRIER: which kind,
  int vote;             // what it brings,
  unsigned mask;        // IN_WARP: with whom,
  Collective operation; // in what,
  void* operand;        // bringing what
};

const int MAX_THREADS = 1024;  // of a block

extern Thread* current;
extern uint3 block_index;
extern dim3 block_size, grid_size;
extern unsigned char* dynamic_shared;
extern Order order;

// The next number of the launch's own random sequence.
uint64_t random_bits();

// Wait for the whole block; returns how many threads brought a vote other than 0.
int wait_for_block(Barrier barrier, int vote, Place place);

// Wait for the lanes in `mask`, and compute `operation` with them.
void wait_for_warp(unsigned mask, Collective operation, void* operand, Place place);

// A kernel with its arguments: call(context) runs it for `current`.
struct Body {
  void (*call)(void*);
  void* context;
};

// Run every block of a grid; sizes and dynamic_shared are set.
void run_grid(Body body, Order order, uint64_t seed);

// Find who writes: from now on, note the thread and block that last changed the byte; null stops.
void watch(const char* byte);
extern const Thread* writer;
extern uint3 writer_block;

}  // namespace emu
