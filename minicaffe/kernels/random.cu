// CUDA half of random.py: one thread per philox counter, that is per four elements.

#include "philox.cuh"

KERNEL dropout(const real* x, real* y, const unsigned* stream, int batch, int width, real ratio, real scale, int n) {
  const unsigned long long limit = (unsigned long long)(ratio * 4294967296.0 + 0.5);
  const int quads = n / batch;  // per sample
  FOR(i, n) {
    const int sample = i / quads, q = i % quads;
    const unsigned long long number = (unsigned long long)stream[2] * batch + sample;
    unsigned words[4] = {unsigned(q), unsigned(number), unsigned(number >> 32), 0};
    philox(words, stream[0], stream[1]);
    for (int j = 0; j < 4 && 4 * q + j < width; ++j) {
      const int k = sample * width + 4 * q + j;
      y[k] = words[j] >= limit ? x[k] * scale : real(0);
    }
  }
}
