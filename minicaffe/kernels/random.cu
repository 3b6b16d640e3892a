// CUDA half of random.py: one thread per philox counter, that is per four elements.

// Philox-4x32-10, as minicaffe/philox.py states it.
__device__ void philox(unsigned* c, unsigned k0, unsigned k1) {
  for (int round = 0; round < 10; ++round) {
    const unsigned long long p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    c[0] = unsigned(p1 >> 32) ^ c[1] ^ k0;
    c[1] = unsigned(p1);
    c[2] = unsigned(p0 >> 32) ^ c[3] ^ k1;
    c[3] = unsigned(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

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
