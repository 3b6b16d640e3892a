// CUDA half of update.py.

enum { BLOCK_SIZE = 64, CHUNK = 4096 };
enum { RATE, MOMENTUM, DECAY, SCALE, NORM };  // entries of hyper

KERNEL square_sums(const real* dw, real* partial, int count, int n) {
  FOR_BLOCK(i, n) {
    real total = 0;
    for (int j = i * CHUNK + threadIdx.x; j < min(count, (i + 1) * CHUNK); j += BLOCK) total += dw[j] * dw[j];
    total = block_sum(total);
    if (threadIdx.x == 0) partial[i] = total;
  }
}

KERNEL clip_scale(const real* partial, real* hyper, int count, real clip, real passes, int n) {
  FOR(only, n) {
    real total = 0;
    for (int i = 0; i < count; ++i) total += partial[i];
    const real norm = sqrt(total);
    hyper[NORM] = norm;
    hyper[SCALE] = (norm > clip ? clip / norm : real(1)) / passes;
  }
}

KERNEL sgd_update(real* w, const real* dw, real* history, const real* rates, const real* decays, const real* hyper,
                  int count, int l1, int n) {
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE], decay = hyper[DECAY] * decays[i / BLOCK_SIZE];
    const real pull = l1 ? real((w[i] > 0) - (w[i] < 0)) : w[i];
    const real step = hyper[MOMENTUM] * history[i] + rate * (hyper[SCALE] * dw[i] + decay * pull);
    history[i] = step;
    w[i] -= step;
  }
}
