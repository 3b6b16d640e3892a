#include "races.h"

#include <stdint.h>
#include <stdio.h>

#include <vector>

#include "arguments.h"
#include "fault.h"
#include "scheduler.h"

namespace emu {

// Blocks that have touched a byte, numbered from 1; 0: none, SEVERAL: more than one.
struct Touched {
  uint32_t writer, reader;
};

static const uint32_t SEVERAL = ~0u;

struct Watched {
  Region region;
  std::vector<Touched> bytes;
};

static std::vector<Watched> watched;

void watch_races(int run) {
  watched.clear();
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
    const uint32_t self = 1 + block_index.x + grid_size.x * (block_index.y + grid_size.y * block_index.z);
    const size_t start = first - each.region.data;
    for (size_t i = start; i < start + bytes && i < each.region.bytes; ++i) {
      Touched& byte = each.bytes[i];
      if (byte.writer && byte.writer != self) blame(each.region.data + i, write ? "writes" : "reads", "writes");
      if (!write) {
        byte.reader = byte.reader && byte.reader != self ? SEVERAL : self;
      } else {
        if (byte.reader && byte.reader != self) blame(each.region.data + i, "writes", "reads");
        byte.writer = self;
      }
    }
    return;
  }
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
