// CUDA half of embed.py: a block per pick; the block of a row's first pick adds all of them, so that their order is
// fixed, as it would not be with atomics.

KERNEL add_rows(const real* dy, const int* picked, real* dtable, Picks g, int n) {
  FOR_BLOCK(i, n) {
    const int row = picked[i];
    int before = 0;
    for (int k = threadIdx.x; k < i; k += BLOCK) before |= picked[k] == row;
    if (block_max(before) || row < 0) continue;
    for (int j = threadIdx.x; j < g.length; j += BLOCK) {
      real total = dtable[row * g.length + j];
      for (int k = i; k < g.count; ++k)
        if (picked[k] == row) total += dy[k * g.length + j];
      dtable[row * g.length + j] = total;
    }
  }
}
