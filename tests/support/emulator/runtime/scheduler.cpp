#include "scheduler.h"

#include <algorithm>

#include "async_copy.h"
#include "fault.h"
#include "fiber.h"
#include "memory.h"

namespace emu {

Thread* current;
uint3 block_index;
dim3 block_size, grid_size;
unsigned char* dynamic_shared;
Order order;

static Thread threads[MAX_THREADS];
static int count;                  // threads of the block
static int sequence[MAX_THREADS];  // the order in which they run: warp by warp
static int started, done;          // how many of the sequence
static void* scheduler_stack;      // where the scheduler waits while a thread runs
static Body body;
static uint64_t random_state;

uint64_t random_bits() {  // xorshift64
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static bool one_in(unsigned n) { return (random_bits() >> 20) % n == 0; }

// -- watching a byte: looked at whenever a thread stops

const Thread* writer;
uint3 writer_block;
static const char* watched;
static char watched_value;

void watch(const char* byte) {
  watched = byte;
  if (!byte) return;
  watched_value = *byte;
  writer = nullptr;
}

static void look() {
  if (!watched || *watched == watched_value) return;
  watched_value = *watched;
  writer = current;
  writer_block = block_index;
}

// -- fibers

// A fiber takes threads that have not started, one after another.  A thread that must wait leaves by `give_way`
// and keeps the fiber's stack; the next threads get a new fiber.
static void fiber_main() {
  char* const stack = current->stack;
  while (true) {
    Thread& thread = *current;
    thread.state = State::READY;
    body.call(body.context);
    look();
    thread.state = State::DONE;
    ++done;
    if (started == count) break;
    current = &threads[sequence[started++]];
    current->stack = stack;
  }
  give_stack(stack);  // nobody takes it before the switch
  void* never_resumed;
  emu_switch(&never_resumed, scheduler_stack);
}

static void start_fiber() {
  current = &threads[sequence[started++]];
  current->stack = take_stack();
  emu_switch(&scheduler_stack, prepare_stack(current->stack, fiber_main));
}

static void resume(Thread& thread) {
  current = &thread;
  emu_switch(&scheduler_stack, thread.stack_pointer);
}

static void give_way() {
  look();
  emu_switch(&current->stack_pointer, scheduler_stack);
}

// -- waiting

int wait_for_block(Barrier barrier, int vote, Place place) {
  Thread& self = *current;
  self.state = State::AT_BARRIER;
  self.barrier = barrier;
  self.vote = vote;
  self.place = place;
  give_way();
  return self.vote;
}

void wait_for_warp(unsigned mask, Collective operation, void* operand, Place place) {
  Thread& self = *current;
  self.state = State::IN_WARP;
  self.mask = mask;
  self.operation = operation;
  self.operand = operand;
  self.place = place;
  give_way();
}

// Let go the lanes whose company is complete; false if there are none.
static bool release_warp(int warp) {
  Thread* const lanes = threads + warp * 32;
  const int size = std::min(32, count - warp * 32);
  const unsigned existing = size == 32 ? ~0u : (1u << size) - 1;
  unsigned released = 0;
  for (int lane = 0; lane < size; ++lane) {
    const Thread& first = lanes[lane];
    if (first.state != State::IN_WARP || released >> lane & 1) continue;
    if (!(first.mask >> lane & 1)) fail(&first, "calls a warp operation whose mask %#x leaves it out", first.mask);
    unsigned company = first.mask & existing;
    bool complete = true;
    for (int other = 0; other < size; ++other) {
      if (!(company >> other & 1)) continue;
      if (lanes[other].state == State::DONE)
        company &= ~(1u << other);  // lanes that have returned are not waited for
      else if (lanes[other].state != State::IN_WARP || lanes[other].mask != first.mask)
        complete = false;
    }
    if (!complete) continue;
    void* operands[32] = {};
    for (int other = 0; other < size; ++other) {
      if (!(company >> other & 1)) continue;
      const Place here = first.place, there = lanes[other].place;
      if (lanes[other].operation != first.operation || there.line != here.line)
        fail(&lanes[other], "is in the warp operation at %s:%d, lane %d of its warp in the one at %s:%d", there.file,
             there.line, lane, here.file, here.line);
      operands[other] = lanes[other].operand;
    }
    if (first.operation) first.operation(operands, company);
    for (int other = 0; other < size; ++other)
      if (company >> other & 1) lanes[other].state = State::READY;
    released |= company;
  }
  return released != 0;
}

// Run a warp as far ahead of the others as barriers allow; false if it could do nothing.
static bool run_warp(const int* first, int size) {
  bool progress = false;
  while (true) {
    for (int i = 0; i < size; ++i) {
      Thread& thread = threads[first[i]];
      if (thread.state != State::READY) continue;
      progress = true;
      resume(thread);
    }
    if (!release_warp(*first / 32)) return progress;
    progress = true;
    if (order == RANDOM && one_in(8)) return progress;  // another warp may overtake
  }
}

// Every thread waits or is done: open the barrier, or say why it cannot open.
static void open_barrier() {
  const Thread* waiting = nullptr;
  for (int i = 0; i < count; ++i) {
    const Thread& thread = threads[i];
    if (thread.state == State::IN_WARP)
      fail(&thread, "deadlock: waits in the warp operation at %s:%d (mask %#x) for lanes that do not come",
           thread.place.file, thread.place.line, thread.mask);
    if (thread.state == State::AT_BARRIER && !waiting) waiting = &thread;
  }
  int votes = 0;
  for (int i = 0; i < count; ++i) {
    const Thread& thread = threads[i];
    const Place here = thread.place, there = waiting->place;
    if (thread.state == State::DONE)
      fail(&thread, "has returned while thread (%u, %u, %u) waits in __syncthreads at %s:%d", waiting->index.x,
           waiting->index.y, waiting->index.z, there.file, there.line);
    if (thread.barrier != waiting->barrier || here.line != there.line)
      fail(&thread, "waits in __syncthreads at %s:%d, thread (%u, %u, %u) in another one at %s:%d", here.file,
           here.line, waiting->index.x, waiting->index.y, waiting->index.z, there.file, there.line);
    votes += thread.vote != 0;
  }
  for (int i = 0; i < count; ++i) {
    threads[i].vote = votes;
    threads[i].state = State::READY;
  }
}

// -- orders

// Whole warps change places, and lanes inside them; a last, partial warp stays last.
static void arrange() {
  const int whole = count / 32;
  int warps[MAX_THREADS / 32];
  for (int w = 0; w < whole; ++w) warps[w] = order == REVERSE ? whole - 1 - w : w;
  if (order == RANDOM)
    for (int w = whole - 1; w > 0; --w) std::swap(warps[w], warps[random_bits() % (w + 1)]);
  for (int start = 0; start < count; start += 32) {
    const int size = std::min(32, count - start), base = size == 32 ? warps[start / 32] * 32 : start;
    int* const lanes = sequence + start;
    for (int l = 0; l < size; ++l) lanes[l] = base + (order == REVERSE ? size - 1 - l : l);
    if (order == RANDOM)
      for (int l = size - 1; l > 0; --l) std::swap(lanes[l], lanes[random_bits() % (l + 1)]);
  }
}

static void run_block() {
  for (int i = 0; i < count; ++i) threads[i].state = State::UNSTARTED;
  started = done = 0;
  forget_copies(count);
  while (started < count) start_fiber();
  while (done < count) {
    bool progress = false;
    for (int start = 0; start < count; start += 32)
      progress |= run_warp(sequence + start, std::min(32, count - start));
    if (!progress) open_barrier();
  }
}

void run_grid(Body kernel, Order chosen, uint64_t seed) {
  body = kernel;
  order = chosen;
  random_state = (seed + 1) * 0x9E3779B97F4A7C15ull | 1;
  count = block_size.x * block_size.y * block_size.z;
  for (unsigned i = 0; i < unsigned(count); ++i) {
    Thread& thread = threads[i];
    thread.index = {i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
    thread.lane = i % 32;
    thread.warp = i / 32;
  }
  const uint64_t blocks = uint64_t(grid_size.x) * grid_size.y * grid_size.z;
  const uint64_t offset = order == RANDOM ? random_bits() % blocks : 0;
  arrange();
  for (uint64_t k = 0; k < blocks; ++k) {
    const uint64_t b = order == REVERSE ? blocks - 1 - k : (k + offset) % blocks;
    block_index = {unsigned(b % grid_size.x), unsigned(b / grid_size.x % grid_size.y),
                   unsigned(b / (uint64_t(grid_size.x) * grid_size.y))};
    if (order == RANDOM && k) arrange();
    poison_shared();
    run_block();
  }
  current = nullptr;
}

}  // namespace emu
