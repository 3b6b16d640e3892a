// CUDA half of stochastic_pooling.py: forward one thread per output, backward one per input, gathering.

#include "philox.cuh"
#include "windows.cuh"
#include "boxes.cuh"

__device__ double weight(real value) { return value <= 0 ? 0.0 : double(value); }

__device__ double total_weight(const real* volume, const Box& b, const Pool3d& g) {
  double total = 0;
  EACH_INSIDE(b, g) total += weight(volume[index]);
  return total;
}

__device__ int reached(const real* volume, const Box& b, double threshold, const Pool3d& g) {
  double total = 0;
  int at = -1;
  EACH_INSIDE(b, g) {
    if (volume[index] > 0) {
      total += weight(volume[index]);
      at = index;
      if (total >= threshold) return at;
    }
  }
  return at;
}

KERNEL stochastic_pool_forward(const real* x, real* y, int* mask, const unsigned* stream, int channels, int which,
                               Pool3d g, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow, batch = g.volumes / channels;
  FOR(k, n) {
    const int sample = k / (channels * outputs), e = k % (channels * outputs);
    const unsigned long long number = (unsigned long long)stream[2] * batch + sample;
    unsigned words[4] = {unsigned(e / 4), unsigned(number), unsigned(number >> 32), unsigned(which)};
    philox(words, stream[0], stream[1]);
    const unsigned word = e % 4 == 0 ? words[0] : e % 4 == 1 ? words[1] : e % 4 == 2 ? words[2] : words[3];
    const Box b = box(k, g);
    const real* volume = x + k / outputs * size;
    const double total = total_weight(volume, b, g);
    const int at = total > 0 ? reached(volume, b, (word + 1.0) / 4294967296.0 * total, g) : -1;
    y[k] = at >= 0 ? volume[at] : real(total);  // 0 or NaN
    mask[k] = at;
  }
}

KERNEL weighted_pool_forward(const real* x, real* y, real* sums, Pool3d g, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const Box b = box(k, g);
    const real* volume = x + k / outputs * size;
    const double total = total_weight(volume, b, g);
    double squares = 0;
    EACH_INSIDE(b, g) squares += weight(volume[index]) * weight(volume[index]);
    y[k] = total > 0 && total * 0 == 0 ? squares / total : total;  // 0, infinity or NaN
    sums[k] = total;
  }
}

KERNEL weighted_pool_backward(const real* x, const real* y, const real* sums, const real* dy, real* dx, Pool3d g,
                              int add, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const int at = k % size, first = k / size * outputs;
    const real value = x[k];
    real total = 0;
    if (!(value <= 0)) {
      EACH_HOLDER(at, g) total += dy[first + o] * ((2 * value - y[first + o]) / sums[first + o]);
    }
    dx[k] = add ? dx[k] + total : total;
  }
}
