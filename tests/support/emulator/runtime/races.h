// Races between blocks: nothing says in which order blocks of a launch run, so a block may neither read nor write what
// another one writes.  Watched in libraries that are built for it (build.py), whose every access calls races.cpp.
//
// Unless it is ordered: a thread that fences and then takes part in an atomic operation on some address hands on whatever
// its block did before that fence; a thread that takes part in a later one on that address, and then fences, lets its block
// see it.  Which threads of a block had done what by then is not told apart: a barrier that is missing before the fence
// shows in the other order of threads.  Values that atomic operations change are not looked at.
#pragma once

#include <stddef.h>

namespace emu {

// From now on, with the memory of a run's arrays; until forget_races.
void watch_races(int run);
void forget_races();

// The running block reads or writes so many bytes.
void note_access(const void* address, size_t bytes, bool write);

// It takes part in an atomic operation, or fences.
void note_atomic(const void* address);
void note_fence();

}  // namespace emu
