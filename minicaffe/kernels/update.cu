// CUDA half of update.py.

enum { BLOCK_SIZE = 64, CHUNK = 4096 };
enum { RATE, MOMENTUM, DECAY, SCALE, NORM, SECOND, DELTA, CORRECTION, BAD, HALT, GOOD };  // entries of hyper

KERNEL square_sums(const real* dw, real* partial, int count, int n) {
  FOR_BLOCK(i, n) {
    real total = 0;
    for (int j = i * CHUNK + threadIdx.x; j < min(count, (i + 1) * CHUNK); j += BLOCK) total += dw[j] * dw[j];
    total = block_sum(total);
    if (threadIdx.x == 0) partial[i] = total;
  }
}

KERNEL note_nonfinite(const real* x, real* hyper, int count, int n) {
  FOR_BLOCK(only, n) {
    for (int i = threadIdx.x; i < count; i += BLOCK)
      if (!isfinite(x[i])) hyper[BAD] = 1;  // whoever finds one writes the same
  }
}

KERNEL judge(const real* partial, const real* outcomes, real* hyper, int count, int numbers, int n) {
  FOR_BLOCK(only, n) {
    double total = 0;
    for (int i = threadIdx.x; i < count; i += BLOCK) total += partial[i];
    total = block_sum(total);
    int bad = hyper[BAD] != 0;
    for (int i = threadIdx.x; i < numbers; i += BLOCK) bad |= !isfinite(outcomes[i]);
    bad = block_max(bad);
    if (threadIdx.x == 0) {
      if (bad || !isfinite(total)) hyper[HALT] = 1;
      else if (hyper[HALT] == 0) hyper[GOOD] += 1;
    }
  }
}

KERNEL clip_scale(const real* partial, real* hyper, int count, real clip, real passes, int n) {
  FOR_BLOCK(only, n) {
    real total = 0;
    for (int i = threadIdx.x; i < count; i += BLOCK) total += partial[i];
    const real norm = sqrt(block_sum(total));
    if (threadIdx.x == 0) {
      hyper[NORM] = norm;
      hyper[SCALE] = (norm > clip ? clip / norm : real(1)) / passes;
    }
  }
}

// What is minimised has this gradient by element i.
__device__ real gradient(const real* w, const real* dw, const real* decays, const real* hyper, int l1, int i) {
  const real decay = hyper[DECAY] * decays[i / BLOCK_SIZE];
  return hyper[SCALE] * dw[i] + decay * (l1 && w[i] != 0 ? real(w[i] > 0 ? 1 : -1) : w[i]);
}

KERNEL sgd_update(real* w, const real* dw, real* history, const real* rates, const real* decays, const real* hyper,
                  int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE];
    const real step = hyper[MOMENTUM] * history[i] + rate * gradient(w, dw, decays, hyper, l1, i);
    history[i] = step;
    w[i] -= step;
  }
}

KERNEL nesterov_update(real* w, const real* dw, real* history, const real* rates, const real* decays, const real* hyper,
                       int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real old = hyper[MOMENTUM] * history[i];
    const real step = old + hyper[RATE] * rates[i / BLOCK_SIZE] * gradient(w, dw, decays, hyper, l1, i);
    history[i] = step;
    w[i] -= (1 + hyper[MOMENTUM]) * step - old;
  }
}

KERNEL adagrad_update(real* w, const real* dw, real* squares, const real* rates, const real* decays, const real* hyper,
                      int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE], g = gradient(w, dw, decays, hyper, l1, i);
    squares[i] += g * g;
    if (g != 0) w[i] -= rate * g / (sqrt(squares[i]) + hyper[DELTA]);
  }
}

KERNEL rmsprop_update(real* w, const real* dw, real* squares, const real* rates, const real* decays, const real* hyper,
                      int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE], g = gradient(w, dw, decays, hyper, l1, i);
    squares[i] = hyper[SECOND] * squares[i] + (1 - hyper[SECOND]) * g * g;
    if (g != 0) w[i] -= rate * g / (sqrt(squares[i]) + hyper[DELTA]);
  }
}

KERNEL adadelta_update(real* w, const real* dw, real* squares, real* steps, const real* rates, const real* decays,
                       const real* hyper, int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real momentum = hyper[MOMENTUM], delta = hyper[DELTA];
    const real g = gradient(w, dw, decays, hyper, l1, i);
    squares[i] = momentum * squares[i] + (1 - momentum) * g * g;
    const real v = g == 0 ? real(0) : g * sqrt((steps[i] + delta) / (squares[i] + delta));
    steps[i] = momentum * steps[i] + (1 - momentum) * v * v;
    w[i] -= hyper[RATE] * rates[i / BLOCK_SIZE] * v;
  }
}

KERNEL adam_update(real* w, const real* dw, real* means, real* squares, const real* rates, const real* decays,
                   const real* hyper, int count, int l1, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE] * hyper[CORRECTION];
    const real g = gradient(w, dw, decays, hyper, l1, i);
    const real mean = hyper[MOMENTUM] * means[i] + (1 - hyper[MOMENTUM]) * g;
    means[i] = mean;
    squares[i] = hyper[SECOND] * squares[i] + (1 - hyper[SECOND]) * g * g;
    if (mean != 0) w[i] -= rate * mean / (sqrt(squares[i]) + hyper[DELTA]);
  }
}

KERNEL adamw_update(real* w, const real* dw, real* means, real* squares, const real* rates, const real* decays,
                    const real* hyper, int count, int n) {
  if (hyper[HALT] != 0) return;
  FOR(i, n) {
    const real rate = hyper[RATE] * rates[i / BLOCK_SIZE], g = hyper[SCALE] * dw[i];
    const real mean = hyper[MOMENTUM] * means[i] + (1 - hyper[MOMENTUM]) * g;
    means[i] = mean;
    squares[i] = hyper[SECOND] * squares[i] + (1 - hyper[SECOND]) * g * g;
    const real step = mean == 0 ? real(0) : rate * hyper[CORRECTION] * mean / (sqrt(squares[i]) + hyper[DELTA]);
    w[i] -= rate * hyper[DECAY] * decays[i / BLOCK_SIZE] * w[i] + step;
  }
}

KERNEL blend(const real* w, real* mean, int count, real keep, int n) {
  FOR(i, n) mean[i] = keep * mean[i] + (1 - keep) * w[i];
}

KERNEL swap(real* a, real* b, int count, int n) {
  FOR(i, n) {
    const real kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}
