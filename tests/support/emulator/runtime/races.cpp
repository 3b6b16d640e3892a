#include "races.h"

#include <stdint.h>
#include <stdio.h>

#include <algorithm>
#include <map>
#include <vector>

#include "arguments.h"
#include "fault.h"
#include "scheduler.h"

namespace emu {

// Blocks that have touched a byte, numbered from 1, and when they did so last; 0: none, SEVERAL: more than one.
struct Touched {
  uint32_t writer, reader;
  uint64_t written, read;
};

static const uint32_t SEVERAL = ~0u;

struct Watched {
  Region region;
  std::vector<Touched> bytes;
};

static std::vector<Watched> watched;

// Up to when each block's accesses are known, by its number.
using Known = std::map<uint32_t, uint64_t>;

static uint64_t now;                           // counts accesses, atomic operations and fences
static std::map<const void*, Known> released;  // by the address of an atomic operation
static uint32_t running;                       // the block of which the rest tells
static Known known;                            // to it
static std::map<const Thread*, uint64_t> fenced;  // when its threads did last,
static std::map<const Thread*, Known> acquired;   // and what they will know once they fence

static void join(Known& all, const Known& more) {
  for (const auto& [block, time] : more) all[block] = std::max(all[block], time);
}

// The number of the running block.  Blocks run one after another.
static uint32_t self() {
  const uint32_t block = 1 + block_index.x + grid_size.x * (block_index.y + grid_size.y * block_index.z);
  if (block != running) {
    running = block;
    known.clear();
    fenced.clear();
    acquired.clear();
  }
  return block;
}

void watch_races(int run) {
  watched.clear();
  released.clear();
  running = 0;
  now = 0;
  for (const Region& region : regions(run)) watched.push_back({region, std::vector<Touched>(region.bytes)});
}

void forget_races() { watched.clear(); }

[[noreturn]] static void blame(const void* address, const char* verb, const char* other) {
  char text[256], element[200];
  if (!name(address, element, sizeof element)) element[0] = 0;
  snprintf(text, sizeof text, "%s %s, which another block %s", verb, element, other);
  fail(current, "%s", text);
}

void note_access(const void* address, size_t bytes, bool write) {
  const char* const first = static_cast<const char*>(address);
  for (Watched& each : watched) {
    if (first < each.region.data || first >= each.region.data + each.region.bytes) continue;
    const uint32_t block = self();
    const auto unordered = [&](uint32_t other, uint64_t when) {
      if (!other || other == block) return false;
      const auto found = known.find(other);
      return found == known.end() || found->second < when;
    };
    ++now;
    const size_t start = first - each.region.data;
    for (size_t i = start; i < start + bytes && i < each.region.bytes; ++i) {
      Touched& byte = each.bytes[i];
      if (unordered(byte.writer, byte.written))
        blame(each.region.data + i, write ? "writes" : "reads", "writes");
      if (!write) {
        byte.reader = byte.reader && byte.reader != block ? SEVERAL : block;
        byte.read = now;
      } else {
        if (unordered(byte.reader, byte.read)) blame(each.region.data + i, "writes", "reads");
        byte.writer = block;
        byte.written = now;
      }
    }
    return;
  }
}

void note_atomic(const void* address) {
  if (watched.empty()) return;
  const uint32_t block = self();
  ++now;
  Known& at = released[address];
  join(acquired[current], at);
  const auto found = fenced.find(current);
  if (found == fenced.end()) return;
  at[block] = std::max(at[block], found->second);
  join(at, known);
}

void note_fence() {
  if (watched.empty()) return;
  self();
  fenced[current] = ++now;
  join(known, acquired[current]);
}

}  // namespace emu

// What g++ -fsanitize=thread calls at every access of the kernels; its own library is not linked.
#define EMU_ACCESS(BYTES)                                                                   \
  void __tsan_read##BYTES(void* at) { emu::note_access(at, BYTES, false); }                 \
  void __tsan_write##BYTES(void* at) { emu::note_access(at, BYTES, true); }                 \
  void __tsan_unaligned_read##BYTES(void* at) { emu::note_access(at, BYTES, false); }       \
  void __tsan_unaligned_write##BYTES(void* at) { emu::note_access(at, BYTES, true); }

extern "C" {
EMU_ACCESS(1)
EMU_ACCESS(2)
EMU_ACCESS(4)
EMU_ACCESS(8)
EMU_ACCESS(16)
void __tsan_read_range(void* at, size_t bytes) { emu::note_access(at, bytes, false); }
void __tsan_write_range(void* at, size_t bytes) { emu::note_access(at, bytes, true); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}
