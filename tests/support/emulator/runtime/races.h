// Races between blocks: nothing says in which order blocks of a launch run, so a block may neither read nor write what
// another one writes.  Watched in libraries that are built for it (build.py), whose every access calls races.cpp.
//
// Atomic operations are not looked at.
#pragma once

#include <stddef.h>

namespace emu {

// From now on, with the memory of a run's arrays; until forget_races.
void watch_races(int run);
void forget_races();

// The running block reads or writes so many bytes.
void note_access(const void* address, size_t bytes, bool write);

}  // namespace emu
