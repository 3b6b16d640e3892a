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
