#include "async_copy.h"

#include <string.h>

#include <vector>

#include "races.h"
#include "scheduler.h"

namespace emu {

struct Copy {
  void* to;
  const void* from;
  int bytes, group;
};

struct Queue {  // of one thread
  std::vector<Copy> copies;
  int group = 0;  // the one that is open
};

static Queue queues[MAX_THREADS];
static bool used;  // by any thread since forget_copies

static Queue& own_queue() {
  const uint3 t = current->index;
  return queues[t.x + block_size.x * (t.y + block_size.y * t.z)];
}

void begin_copy(void* to, const void* from, int bytes) {
  used = true;
  note_access(from, bytes, false);
  if (order == REVERSE || (order == RANDOM && (random_bits() >> 20 & 1)))
    memcpy(to, from, bytes);
  else
    own_queue().copies.push_back({to, from, bytes, own_queue().group});
}

void commit_copies() {
  used = true;
  ++own_queue().group;
}

void wait_for_copies(int pending) {
  Queue& queue = own_queue();
  size_t kept = 0;
  for (const Copy& copy : queue.copies) {
    if (copy.group < queue.group - pending)
      memcpy(copy.to, copy.from, copy.bytes);
    else
      queue.copies[kept++] = copy;
  }
  queue.copies.resize(kept);
}

void forget_copies(int threads) {
  if (!used) return;
  for (int i = 0; i < threads; ++i) {
    queues[i].copies.clear();
    queues[i].group = 0;
  }
  used = false;
}

}  // namespace emu
