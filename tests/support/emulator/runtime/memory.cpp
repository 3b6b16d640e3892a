#include "memory.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <vector>

namespace emu {

// -- guarded memory

static const size_t GUARD_BYTES = 1 << 20;      // unreadable on either side: address space, no memory
static const size_t KEPT_BYTES = 4 << 20;       // larger pieces go back to the system
static std::map<size_t, std::vector<char*>> unused;  // by size

static size_t whole_pages(size_t bytes) {
  static const size_t page = sysconf(_SC_PAGESIZE);
  return bytes ? (bytes + page - 1) / page * page : page;
}

void Guarded::take(size_t wanted, Side side, size_t alignment, size_t phase) {
  bytes = wanted;
  pages_bytes_ = whole_pages(bytes + alignment - 1);
  std::vector<char*>& pool = unused[pages_bytes_];
  if (pool.empty()) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* map = mmap(nullptr, pages_bytes_ + 2 * GUARD_BYTES, PROT_NONE, flags, -1, 0);
    pages_ = static_cast<char*>(map) + GUARD_BYTES;
    mprotect(pages_, pages_bytes_, PROT_READ | PROT_WRITE);
  } else {
    pages_ = pool.back();
    pool.pop_back();
  }
  if (side == END) {
    const size_t start = pages_bytes_ - bytes;
    data = pages_ + start - (start - phase) % alignment;
  } else {
    data = pages_ + phase % alignment;
  }
}

void release_memory() {
  for (auto& [bytes, pieces] : unused)
    for (char* pages : pieces) munmap(pages - GUARD_BYTES, bytes + 2 * GUARD_BYTES);
  unused.clear();
}

void Guarded::poison_around() const {
  memset(pages_, POISON, data - pages_);
  memset(data + bytes, POISON, pages_ + pages_bytes_ - data - bytes);
}

void Guarded::give_back() {
  if (!pages_) return;
  if (pages_bytes_ <= KEPT_BYTES)
    unused[pages_bytes_].push_back(pages_);
  else
    munmap(pages_ - GUARD_BYTES, pages_bytes_ + 2 * GUARD_BYTES);
  pages_ = data = nullptr;
  bytes = 0;
}

static const char* first_written(const char* from, const char* to) {
  const char poison = static_cast<char>(POISON);
  if (from == to || (*from == poison && !memcmp(from, from + 1, to - from - 1))) return nullptr;  // all are equal
  while (*from == poison) ++from;
  return from;
}

const char* Guarded::trace() const {
  const char* before = first_written(pages_, data);
  return before ? before : first_written(data + bytes, pages_ + pages_bytes_);
}

bool Guarded::around(const void* address) const {
  const char* a = static_cast<const char*>(address);
  return pages_ && a >= pages_ - GUARD_BYTES && a < pages_ + pages_bytes_ + GUARD_BYTES;
}

// -- shared memory

Guarded dynamic_memory;

// Shared variables are thread_local (cuda/language.h), so they lie in this library's thread-local block: the one
// that `marker` is in.
static thread_local volatile char marker;
static char* block;
static size_t block_bytes;

static int visit(dl_phdr_info* info, size_t, void*) {
  bool ours = false;
  size_t bytes = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    const uintptr_t start = info->dlpi_addr + part.p_vaddr, here = reinterpret_cast<uintptr_t>(&visit);
    if (part.p_type == PT_LOAD && here >= start && here < start + part.p_memsz) ours = true;
    if (part.p_type == PT_TLS) bytes = part.p_memsz;
  }
  if (!ours) return 0;
  block = static_cast<char*>(info->dlpi_tls_data);
  block_bytes = bytes;
  return 1;
}

void find_static_shared() {
  static ptrdiff_t offset;  // of the marker, the same for every OS thread
  if (!block) {
    marker = 0;  // the block comes into being with its first use
    dl_iterate_phdr(visit, nullptr);
    offset = const_cast<char*>(&marker) - block;
  }
  block = const_cast<char*>(&marker) - offset;
}

void poison_shared() {
  memset(block, POISON, block_bytes);
  if (dynamic_memory.bytes) memset(dynamic_memory.data, POISON, dynamic_memory.bytes);
}

}  // namespace emu
