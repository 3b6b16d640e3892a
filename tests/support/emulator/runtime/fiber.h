// Fibers: stacks between which one OS thread switches by hand, in a few nanoseconds.
#pragma once

namespace emu {

// Saves what a function call must preserve on the running stack, stores that stack's pointer in *from and
// continues on `to`, another saved pointer.
extern "C" void emu_switch(void** from, void* to);

// A stack for a fiber: new, or one given back.
char* take_stack();
void give_stack(char* stack);

// The pointer that makes emu_switch start `main` on `stack`; `main` must never return.
void* prepare_stack(char* stack, void (*main)());

// Give all stacks back to the system; none is in use.
void release_stacks();

// After a fault: nobody will continue on any stack, so all are free again.
void reclaim_stacks();

// Is `address` in the unreadable page below `stack`?  Then a thread has used up its stack.
bool below_stack(const char* stack, const void* address);

}  // namespace emu
