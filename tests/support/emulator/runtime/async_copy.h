// Asynchronous copies (cp.async): they land as late as the waits allow, or at once, or by chance.
#pragma once

namespace emu {

// Begin a copy for the current thread.  The source is read when the copy lands, as on a GPU.
void begin_copy(void* to, const void* from, int bytes);

// Close the group of the copies begun since the last one.
void commit_copies();

// Land all groups but the newest `pending`.
void wait_for_copies(int pending);

// A block begins with `threads` threads.
void forget_copies(int threads);

}  // namespace emu
