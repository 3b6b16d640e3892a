// CUDA half of convolution.py: three matrix products c (m, n) = sum over k of a (m, k) b (k, n) of which one operand is
// gathered from the image as it is needed.
//
//             m               n                    k                    a                b
//   forward   output channel  image, output pixel  input channel, tap   weights          x, gathered
//   data      input channel   image, input pixel   output channel, tap  weights, turned  dy, gathered
//   weights   output channel  input channel, tap   image, output pixel  dy               x, gathered

#include "divisor.cuh"
#include "vector.cuh"
#include "finish.cuh"

// A flat index over three extents, taken apart.
struct Index3 { int z, i, j; };
__device__ Index3 split3(int index, int rows, int columns) {
  return {index / (rows * columns), index / columns % rows, index % columns};
}

// A channel and a tap: a k of forward and data, an n of weights.
struct Tap { int channel; Index3 at; };
__device__ Tap split_tap(const Conv& g, int index) {
  const int taps = g.kd * g.kh * g.kw;
  return {index / taps, split3(index % taps, g.kh, g.kw)};
}

// The input pixel that output `o` reads under tap `k`, or -1 outside the image.
__device__ int pixel_read(const Conv& g, Index3 o, Index3 k) {
  const int p = o.z * g.sd + k.z * g.ld - g.pd, q = o.i * g.sh + k.i * g.lh - g.ph, r = o.j * g.sw + k.j * g.lw - g.pw;
  return p >= 0 && p < g.d && q >= 0 && q < g.h && r >= 0 && r < g.w ? (p * g.h + q) * g.w + r : -1;
}

// The output along one axis that reads input `at` under tap `k`, or -1.
__device__ int output_reading(int at, int k, int stride, int pad, int dilation, int extent) {
  const int o = at + pad - k * dilation;
  return o >= 0 && o % stride == 0 && o / stride < extent ? o / stride : -1;
}

// The output pixel that reads input pixel `at` under tap `k`, or -1.
__device__ int pixel_reading(const Conv& g, Index3 at, Index3 k) {
  const int z = output_reading(at.z, k.z, g.sd, g.pd, g.ld, g.od);
  const int i = output_reading(at.i, k.i, g.sh, g.ph, g.lh, g.oh);
  const int j = output_reading(at.j, k.j, g.sw, g.pw, g.lw, g.ow);
  return z >= 0 && i >= 0 && j >= 0 ? (z * g.oh + i) * g.ow + j : -1;
}

// A block computes a square tile of c; a and b pass through shared memory in slices DEPTH deep, and each of its 16 x 16
// threads sums every 16th row and column of the tile.
const int DEPTH = 16;
template <int TILE> struct Slice { real a[DEPTH][TILE + 1], b[DEPTH][TILE + 1]; };  // one more: no bank conflicts

// fetch(k, slice) fills a slice from k on, all threads together; store(row, column, total) takes a result.
template <int TILE, class Fetch, class Store> __device__ void product(int depth, Fetch fetch, Store store) {
  const int row = threadIdx.x / 16, column = threadIdx.x % 16, SIDE = TILE / 16;
  __shared__ Slice<TILE> slice;
  real total[SIDE][SIDE] = {};
  for (int k0 = 0; k0 < depth; k0 += DEPTH) {
    fetch(k0, slice);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEPTH; ++k)
#pragma unroll
      for (int i = 0; i < SIDE; ++i)
#pragma unroll
        for (int j = 0; j < SIDE; ++j) total[i][j] += slice.a[k][row + 16 * i] * slice.b[k][column + 16 * j];
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < SIDE; ++i)
#pragma unroll
    for (int j = 0; j < SIDE; ++j) store(row + 16 * i, column + 16 * j, total[i][j]);
}

KERNEL conv_forward(const real* x, const real* weights, const real* scale, const real* bias, real* y, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, depth = g.c * g.kd * g.kh * g.kw;
  const int columns = g.n * pixels, down = (g.m + 63) / 64, across = (columns + 63) / 64;
  __shared__ Tap taps[DEPTH];
  FOR_BLOCK(tile, n) {
    const int m0 = tile % down * 64, n0 = tile / down % across * 64, group = tile / down / across;
    const int lane = threadIdx.x % 64, pixel = n0 + lane;  // the column of b that this thread fetches
    const Index3 o = split3(pixel % pixels, g.oh, g.ow);
    const real* image = x + pixel / pixels * g.x_step + group * g.c * area;

    auto fetch = [&](int k0, Slice<64>& slice) {
      if (threadIdx.x < DEPTH) taps[threadIdx.x] = split_tap(g, k0 + threadIdx.x);
      __syncthreads();
      for (int i = threadIdx.x / DEPTH, k = threadIdx.x % DEPTH; i < 64; i += BLOCK / DEPTH)
        slice.a[k][i] = m0 + i < g.m && k0 + k < depth ? weights[(group * g.m + m0 + i) * depth + k0 + k] : real(0);
      for (int k = threadIdx.x / 64; k < DEPTH; k += BLOCK / 64) {
        const int from = pixel < columns && k0 + k < depth ? pixel_read(g, o, taps[k].at) : -1;
        slice.b[k][lane] = from >= 0 ? image[taps[k].channel * area + from] : real(0);
      }
    };
    product<64>(depth, fetch, [&](int row, int column, real total) {
      const int m = group * g.m + m0 + row, at = n0 + column;
      if (m0 + row >= g.m || at >= columns) return;
      y[at / pixels * g.y_step + m * pixels + at % pixels] = finish(g, total, scale, bias, m);
    });
  }
}

KERNEL conv_finish(const real* scale, const real* bias, real* y, Conv g, int n) {
  enum { EACH = 4, TILE = EACH * BLOCK };  // as in map.cuh: all reads in front of the first write
  const int pixels = g.od * g.oh * g.ow;
  const Divisor image(g.groups * g.m * pixels), plane(pixels);
  FOR_BLOCK(tile, (n - 1) / TILE + 1) {
    const unsigned first = unsigned(tile) * TILE + threadIdx.x, last = n - 1;
    real result[EACH];
    int at[EACH];
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
      const int i = min(first + k * BLOCK, last), rest = i % image;
      at[k] = i / image * g.y_step + rest;
      result[k] = finish(g, y[at[k]], scale, bias, rest / plane);
    }
#pragma unroll
    for (int k = 0; k < EACH; ++k)
      if (first + k * BLOCK <= last) y[at[k]] = result[k];
  }
}

KERNEL conv_backward_data(const real* dy, const real* weights, real* dx, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, window = g.kd * g.kh * g.kw, depth = g.m * window;
  const int columns = g.n * area, down = (g.c + 63) / 64, across = (columns + 63) / 64;
  __shared__ Tap taps[DEPTH];
  FOR_BLOCK(tile, n) {
    const int c0 = tile % down * 64, n0 = tile / down % across * 64, group = tile / down / across;
    const int lane = threadIdx.x % 64, pixel = n0 + lane;  // the column of b that this thread fetches
    const Index3 at = split3(pixel % area, g.h, g.w);
    const real* slopes = dy + pixel / area * g.y_step + group * g.m * pixels;

    auto fetch = [&](int k0, Slice<64>& slice) {
      if (threadIdx.x < DEPTH) taps[threadIdx.x] = split_tap(g, k0 + threadIdx.x);
      __syncthreads();
      for (int i = threadIdx.x / DEPTH, k = threadIdx.x % DEPTH; i < 64; i += BLOCK / DEPTH) {
        const int m = group * g.m + taps[k].channel, tap = (k0 + k) % window;
        slice.a[k][i] = c0 + i < g.c && k0 + k < depth ? weights[(m * g.c + c0 + i) * window + tap] : real(0);
      }
      for (int k = threadIdx.x / 64; k < DEPTH; k += BLOCK / 64) {
        const int from = pixel < columns && k0 + k < depth ? pixel_reading(g, at, taps[k].at) : -1;
        slice.b[k][lane] = from >= 0 ? slopes[taps[k].channel * pixels + from] : real(0);
      }
    };
    product<64>(depth, fetch, [&](int row, int column, real total) {
      const int c = group * g.c + c0 + row, to = n0 + column;
      if (c0 + row >= g.c || to >= columns) return;
      real* result = dx + to / area * g.x_step + c * area + to % area;
      *result = g.add ? *result + total : total;
    });
  }
}

// Tiles are smaller here: weights are few, and only blocks share the long sum over images and pixels.
KERNEL conv_backward_weights(const real* x, const real* dy, real* dweights, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow, area = g.d * g.h * g.w, depth = g.n * pixels;
  const int columns = g.c * g.kd * g.kh * g.kw, down = (g.m + 31) / 32, across = (columns + 31) / 32;
  __shared__ Tap taps[32];
  FOR_BLOCK(tile, n) {
    const int m0 = tile % down * 32, n0 = tile / down % across * 32, group = tile / down / across;
    if (threadIdx.x < 32) taps[threadIdx.x] = split_tap(g, n0 + threadIdx.x);
    __syncthreads();
    const int lane = threadIdx.x % DEPTH;  // the k that this thread fetches

    auto fetch = [&](int k0, Slice<32>& slice) {
      const int k = k0 + lane, image = k / pixels, pixel = k % pixels;
      const Index3 o = split3(pixel, g.oh, g.ow);
      const real* slopes = dy + image * g.y_step + group * g.m * pixels + pixel;
      const real* plane = x + image * g.x_step + group * g.c * area;
      for (int i = threadIdx.x / DEPTH; i < 32; i += BLOCK / DEPTH) {
        slice.a[lane][i] = m0 + i < g.m && k < depth ? slopes[(m0 + i) * pixels] : real(0);
        const int from = n0 + i < columns && k < depth ? pixel_read(g, o, taps[i].at) : -1;
        slice.b[lane][i] = from >= 0 ? plane[taps[i].channel * area + from] : real(0);
      }
    };
    product<32>(depth, fetch, [&](int row, int column, real total) {
      if (m0 + row < g.m && n0 + column < columns) dweights[(group * g.m + m0 + row) * columns + n0 + column] += total;
    });
  }
}

// A thread's part of a channel's sum, its slopes masked on the way: EACH vectors of both arrays are read, BLOCK apart,
// before the first is written.
template <int N> __device__ real masked_part(const real* y, real* dy, const Conv& g, int pixels) {
  enum { EACH = 8 };
  const int vectors = pixels / N;
  const unsigned count = g.n * vectors;
  const Divisor image_of(vectors);
  real total = 0;
  for (unsigned first = threadIdx.x; first < count; first += EACH * BLOCK) {
    Vector<N> slopes[EACH];
    int at[EACH];
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
      const int t = first + k * BLOCK < count ? first + k * BLOCK : first;  // beyond the end: again, and dropped
      const int image = t / image_of;
      at[k] = image * g.y_step + (t - image * vectors) * N;
      slopes[k] = load<N>(dy + at[k]);
      if (g.relu) {
        const Vector<N> outputs = load<N>(y + at[k]);
        for (int j = 0; j < N; ++j) slopes[k].of[j] = outputs.of[j] > 0 ? slopes[k].of[j] : slopes[k].of[j] * 0;
      }
    }
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
      if (first + k * BLOCK >= count) continue;
      if (g.relu) store<N>(slopes[k], dy + at[k]);
      for (int j = 0; j < N; ++j) total += slopes[k].of[j];
    }
  }
  return total;
}

KERNEL conv_backward_bias(const real* y, real* dy, real* dbias, Conv g, int n) {
  const int pixels = g.od * g.oh * g.ow;
  const bool wide = pixels % WIDTH == 0 && g.y_step % WIDTH == 0 && aligned(y, dy);
  FOR_BLOCK(m, n) {
    const real* outputs = y + m * pixels;
    real* slopes = dy + m * pixels;
    const real total = block_sum(wide ? masked_part<WIDTH>(outputs, slopes, g, pixels)
                                      : masked_part<1>(outputs, slopes, g, pixels));
    if (threadIdx.x == 0 && g.bias) dbias[m] += total;
  }
}
