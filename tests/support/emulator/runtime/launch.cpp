#include "launch.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "fault.h"
#include "fiber.h"
#include "memory.h"
#include "races.h"

namespace emu {

static dim3 extent(const uint32_t* e) { return {e[0], e[1], e[2]}; }

static const Schedule& schedule(const Launch& launch, int run) {
  return reinterpret_cast<const Schedule*>(&launch + 1)[run];
}

// Small numbers of the processor's arithmetic become 0, of float and of double, while this exists.
class Flushing {
 public:
#if defined(__x86_64__)
  explicit Flushing(bool flush) : before_(_mm_getcsr()) {
    if (flush) _mm_setcsr(before_ | 0x8040);  // FTZ: results, DAZ: operands
  }
  ~Flushing() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  explicit Flushing(bool flush) {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    if (flush) asm volatile("msr fpcr, %0" : : "r"(before_ | 1ull << 24));
  }
  ~Flushing() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  uint64_t before_;
#endif
};

// False if the kernel wrote outside of its dynamic shared memory.
static bool run_once(const Launch& launch, int run, Body body) {
  const Schedule& how = schedule(launch, run);
  grid_size = extent(launch.grid);
  if (how.blocks) grid_size.x = how.blocks;
  use_copies(run);
  dynamic_memory.take(launch.shared_bytes, Side(how.side), 16);
  dynamic_memory.poison_around();
  dynamic_shared = reinterpret_cast<unsigned char*>(dynamic_memory.data);
  if (launch.races && !run) watch_races(run);
  run_grid(body, Order(how.order), how.seed);
  forget_races();
  const bool inside = !dynamic_memory.trace();
  dynamic_memory.give_back();
  return inside;
}

// Run once more and watch, to tell who did it.
[[noreturn]] static void blame(const Finding& finding, const Launch& launch, Body body) {
  for (int run : {finding.run, 0}) {
    watch(restore_copies(run, finding.byte));
    run_once(launch, run, body);
    watch(nullptr);
    if (writer) break;
  }
  block_index = writer_block;
  fail(writer, "%s", finding.text);
}

static void run_all(const Launch& launch, Array* arrays, int count, Body body) {
  const int runs = launch.runs;
  Side sides[MAX_RUNS] = {};
  for (int run = 0; run < runs; ++run) sides[run] = Side(schedule(launch, run).side);
  stage(arrays, count, runs, sides, launch.alignment);
  block_size = extent(launch.block);
  find_static_shared();
  bool inside = true;
  for (int run = 0; run < runs; ++run) inside &= run_once(launch, run, body);
  if (!inside) fail(nullptr, "writes outside of its dynamic shared memory");
  Finding finding;
  if (inspect_copies(finding)) blame(finding, launch, body);
  copy_back();
}

int run_launch(const Launch* launch, Array* arrays, int count, Body body) {
  const Handlers handlers(launch->time_limit_s);
  const Flushing flushing(launch->flush);
  fault_offset = 0;
  const int faulty = sigsetjmp(escape, 0);
  if (faulty)
    reclaim_stacks();
  else
    run_all(*launch, arrays, count, body);
  current = nullptr;
  watch(nullptr);
  forget_races();
  dynamic_memory.give_back();
  unstage();
  return faulty;
}

}  // namespace emu

extern "C" __attribute__((visibility("default"))) const char* emu_fault_message() { return emu::fault_message; }
extern "C" __attribute__((visibility("default"))) uint64_t emu_fault_offset() { return emu::fault_offset; }

// When a module is not used any more: the system gives a process only so many pieces of memory.
extern "C" __attribute__((visibility("default"))) void emu_release() {
  emu::release_stacks();
  emu::release_memory();
}
