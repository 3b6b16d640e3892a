// Faults: how a launch ends early, and what it says.
#pragma once

#include <setjmp.h>
#include <stdint.h>

namespace emu {

struct Thread;

// The last fault: its message, and the offset in the library of the instruction at fault (0 if there is none).
extern char fault_message[768];
extern uint64_t fault_offset;

// End the launch.  The message is completed with the block, and with the thread if there is one.
[[noreturn]] void fail(const Thread* thread, const char* format, ...) __attribute__((format(printf, 2, 3)));

// While this exists, bad accesses, traps and the end of the time limit become a `fail`.
class Handlers {
 public:
  explicit Handlers(int time_limit_s);  // of processor time
  ~Handlers();
};

// Where `fail` continues: set with sigsetjmp(escape, 0) while handlers exist.
extern sigjmp_buf escape;

}  // namespace emu
