#include "fault.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include "arguments.h"
#include "fiber.h"
#include "scheduler.h"

namespace emu {

char fault_message[768];
uint64_t fault_offset;
sigjmp_buf escape;
static int time_limit_s;

void fail(const Thread* thread, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int used = vsnprintf(fault_message, sizeof fault_message, format, arguments);
  va_end(arguments);
  if (thread && used < int(sizeof fault_message))
    snprintf(fault_message + used, sizeof fault_message - used, ": block (%u, %u, %u), thread (%u, %u, %u)",
             block_index.x, block_index.y, block_index.z, thread->index.x, thread->index.y, thread->index.z);
  siglongjmp(escape, 1);
}

// "reads", "writes", or "accesses" where the processor does not say.
static const char* access(const ucontext_t* context) {
#if defined(__x86_64__)
  return context->uc_mcontext.gregs[REG_ERR] & 2 ? "writes" : "reads";
#else
  return "accesses";
#endif
}

static uint64_t instruction(const ucontext_t* context) {
#if defined(__x86_64__)
  return context->uc_mcontext.gregs[REG_RIP];
#else
  return context->uc_mcontext.pc;
#endif
}

static void on_signal(int signal, siginfo_t* info, void* opaque) {
  const ucontext_t* context = static_cast<ucontext_t*>(opaque);
  Dl_info here, there;
  dladdr(reinterpret_cast<void*>(&on_signal), &here);
  const uint64_t at = instruction(context);
  if (dladdr(reinterpret_cast<void*>(at), &there) && there.dli_fbase == here.dli_fbase)
    fault_offset = at - reinterpret_cast<uint64_t>(here.dli_fbase);
  if (signal == SIGVTALRM) fail(current, "has not ended after %d s", time_limit_s);
  if (signal == SIGFPE) fail(current, "divides an integer by zero");
  if (signal == SIGILL || signal == SIGTRAP)
    fail(current, "has an index outside an array of fixed size, or a misaligned vector access");
  char text[256];
  if (current && below_stack(current->stack, info->si_addr)) fail(current, "has used up its stack");
  if (describe(info->si_addr, text, sizeof text)) fail(current, "%s %s", access(context), text);
  fail(current, "%s an illegal address, %p", access(context), info->si_addr);
}

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGVTALRM};
static const int COUNT = sizeof SIGNALS / sizeof *SIGNALS;
static struct sigaction before[COUNT];
static stack_t stack_before;
static char handler_stack[64 << 10];

Handlers::Handlers(int seconds) {
  time_limit_s = seconds;
  stack_t stack = {};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof handler_stack;
  sigaltstack(&stack, &stack_before);
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // not deferred: we leave the handler by a jump
  for (int i = 0; i < COUNT; ++i) sigaction(SIGNALS[i], &action, &before[i]);
  const itimerval limit = {{0, 0}, {seconds, 0}};
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}

Handlers::~Handlers() {
  const itimerval off = {};
  setitimer(ITIMER_VIRTUAL, &off, nullptr);
  for (int i = 0; i < COUNT; ++i) sigaction(SIGNALS[i], &before[i], nullptr);
  sigaltstack(&stack_before, nullptr);
}

}  // namespace emu
