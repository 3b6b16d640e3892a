#include "fiber.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <vector>

#if defined(__x86_64__)

// Preserved by a call: rbp, rbx, r12 to r15.  The return address is already on the stack.  It is jumped to: the
// processor would predict a `ret` to go where the last call came from, on the stack that is being left.
__asm__(R"(
.text
.p2align 4
.globl emu_switch
.hidden emu_switch
.type emu_switch, @function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size emu_switch, .-emu_switch
)");

static void* initial_frame(char* top, void (*main)()) {
  void** frame = reinterpret_cast<void**>(top);
  *--frame = nullptr;                          // where main would return to; keeps its stack aligned to 16
  *--frame = reinterpret_cast<void*>(main);    // where it jumps to
  frame -= 6;                                  // the six registers
  memset(frame, 0, 6 * sizeof(void*));
  return frame;
}

#elif defined(__aarch64__)

// Preserved by a call: x19 to x28, the frame pointer x29, the link register x30, d8 to d15.
__asm__(R"(
.text
.p2align 4
.globl emu_switch
.hidden emu_switch
.type emu_switch, %function
emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  br x30
.size emu_switch, .-emu_switch
)");

static void* initial_frame(char* top, void (*main)()) {
  void** frame = reinterpret_cast<void**>(top) - 20;
  memset(frame, 0, 20 * sizeof(void*));
  frame[11] = reinterpret_cast<void*>(main);  // x30
  return frame;
}

#else
#error "the CUDA emulator switches stacks on x86-64 and aarch64 only"
#endif

namespace emu {

static const size_t STACK_BYTES = 192 << 10;
static const size_t GUARD_BYTES = 256 << 10;  // unreadable, below each; a multiple of every page size
static const size_t STAGGER_BYTES = 5 * 64;  // the tops of stacks are spread out, or else all would fight for
static const size_t STAGGERS = 128;          // the same few sets of the cache

static std::vector<char*> all, unused;

char* take_stack() {
  if (unused.empty()) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* map = mmap(nullptr, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    mprotect(map, GUARD_BYTES, PROT_NONE);
    all.push_back(static_cast<char*>(map) + GUARD_BYTES);
    return all.back();
  }
  char* stack = unused.back();
  unused.pop_back();
  return stack;
}

void give_stack(char* stack) { unused.push_back(stack); }

void* prepare_stack(char* stack, void (*main)()) {
  const size_t number = reinterpret_cast<uintptr_t>(stack) / (GUARD_BYTES + STACK_BYTES);
  return initial_frame(stack + STACK_BYTES - number % STAGGERS * STAGGER_BYTES, main);
}

void reclaim_stacks() { unused = all; }

void release_stacks() {
  for (char* stack : all) munmap(stack - GUARD_BYTES, GUARD_BYTES + STACK_BYTES);
  all.clear();
  unused.clear();
}

bool below_stack(const char* stack, const void* address) {
  return stack && address < stack && address >= stack - GUARD_BYTES;
}

}  // namespace emu
