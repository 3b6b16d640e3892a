// The kernels of tensor/convolution.py.  All of them see a convolution as c (m, n) = sum over k of a (m, k) b (k, n):
//
//             m               n                       k                      a               b
//   forward   output channel  image, output pixel     input channel, tap     weights         x, gathered
//   data      input channel   image, input pixel      output channel, tap    weights, turned dy, gathered
//   weights   output channel  input channel, tap      image, output pixel    dy              x, gathered
//
// Where a gathered value lies is the sum of a place for n and a place for k, by offset and by coordinates; it is zero
// unless the coordinates lie inside the image.  So nothing is divided on the way: places come from tables.
//
// PASSES: tile.cuh; with one, conv_gather's weights come rounded, from conv_pack.  The other parameters are tiles.py's, in capitals.

struct __align__(16) Place { int offset, z, i, j; };

const int NOWHERE = -(1 << 29);  // a coordinate that no sum brings back inside

__device__ __forceinline__ bool inside(const Extent& e, const Place& one, const Place& other) {
  return (unsigned(one.z + other.z) < unsigned(e.d)) & (unsigned(one.i + other.i) < unsigned(e.h)) &
         (unsigned(one.j + other.j) < unsigned(e.w));  // &: no branches
}

// Forward, and backward by data: the pixels of one lattice are computed by the blocks of one blockIdx.y (see places.py);
// blockIdx.z is the part of the sum over k, `part` floats behind the last.  VECTOR: floats of a copied at a time.
template <int PASSES, int BM, int BN, int WM, int WN, int STAGES, int BLOCKS, int VECTOR>
__global__ void __launch_bounds__(BM / WM * (BN / WN) * 32, BLOCKS)
conv_gather(const float* __restrict__ weights, const float* __restrict__ source, const float* __restrict__ bias,
            float* __restrict__ result, const Place* __restrict__ taps, const Lattice* __restrict__ lattices, Extent read,
            Extent written, Gather g) {
  constexpr int THREADS = BM / WM * (BN / WN) * 32;
  constexpr int A_ROW = DEPTH + 4, B_ROW = BN + 8, STAGE = BM * A_ROW + DEPTH * B_ROW;
  static_assert(THREADS % BN == 0 && DEPTH % (THREADS / BN) == 0, "a thread copies whole columns of b");
  constexpr bool ADDS = VECTOR == 4;  // results are added to backward, where weights are packed; this saves registers
  DYNAMIC_SHARED(float, staged);
  __shared__ long long targets[BN];  // where each column's first result lies; -1: there is no such column

  const Lattice lattice = lattices[blockIdx.y / g.groups];
  const int group = blockIdx.y % g.groups, tiles = (g.m + BM - 1) / BM;
  const int m0 = blockIdx.x % tiles * BM, n0 = blockIdx.x / tiles * BN;  // neighbours share a tile of the image
  const int pixels = lattice.d * lattice.h * lattice.w;
  if (n0 >= g.images * pixels) return;

  // The column of b that this thread copies.
  const int column = threadIdx.x % BN, n = n0 + column;
  const float* from = source;
  Place here = {0, NOWHERE, 0, 0};
  if (n < g.images * pixels) {
    const int image = n / pixels, pixel = n % pixels;
    const int z = pixel / (lattice.h * lattice.w), i = pixel / lattice.w % lattice.h, j = pixel % lattice.w;
    here.z = z * lattice.scale_z + lattice.shift_z;
    here.i = i * lattice.scale_i + lattice.shift_i;
    here.j = j * lattice.scale_j + lattice.shift_j;
    here.offset = (here.z * read.h + here.i) * read.w + here.j;
    from += (long long)image * g.from_step + group * g.channels * (read.d * read.h * read.w);
    if (threadIdx.x < BN) {
      const int to_z = z * lattice.step_z + lattice.first_z, to_i = i * lattice.step_i + lattice.first_i;
      const int to = (to_z * written.h + to_i) * written.w + j * lattice.step_j + lattice.first_j;
      targets[column] = (long long)image * g.to_step + group * g.m * (written.d * written.h * written.w) + to;
    }
  } else if (threadIdx.x < BN) {
    targets[column] = -1;
  }

  const float* rows = weights + ((long long)group * g.m + m0) * g.row + lattice.begin;
  const Place* places = taps + lattice.begin;
  const int depth = g.row - lattice.begin;  // of a's rows, from the lattice's part on

  // Each thread copies the same places of every slice, so that loops have constant bounds and addresses constant steps.
  constexpr int ACROSS = DEPTH / VECTOR, DOWN = THREADS / ACROSS, STEP = THREADS / BN;
  const int a_k = threadIdx.x % ACROSS * VECTOR, a_m = threadIdx.x / ACROSS, b_k = threadIdx.x / BN;
  const int a_from = a_m * g.row + a_k;
  auto copy_slice = [&](int slice, float* as) {
    float* const a_to = as + a_m * A_ROW + a_k;
    float* const b_to = as + BM * A_ROW + b_k * B_ROW + column;
    const int k0 = slice * DEPTH;
#pragma unroll
    for (int m = 0; m < BM; m += DOWN) {
      const bool ok = (m0 + a_m + m < g.m) & (k0 + a_k < depth);
      if (BM % DOWN == 0 || a_m + m < BM) cp_async<4 * VECTOR>(a_to + m * A_ROW, rows + (a_from + m * g.row + k0), ok);
    }
#pragma unroll
    for (int k = 0; k < DEPTH; k += STEP) {
      const Place tap = places[k0 + b_k + k];
      const bool ok = inside(read, here, tap);
      cp_async<4>(b_to + k * B_ROW, from + (here.offset + tap.offset), ok);
    }
  };

  // STAGES slices in flight: while one is multiplied, the next STAGES - 1 are on their way.
  const int first = blockIdx.z * g.slices, last = min(first + g.slices, lattice.slices);
  for (int ahead = 0; ahead < STAGES - 1; ++ahead) {
    if (first + ahead < last) copy_slice(first + ahead, staged + ahead * STAGE);
    cp_async_commit();
  }
  const int warp = threadIdx.x / 32, wm = warp / (BN / WN) * WM, wn = warp % (BN / WN) * WN;
  Accumulators<WM, WN> acc = {};
  int use = 0;
  for (int slice = first; slice < last; ++slice) {
    cp_async_wait<STAGES - 2>();
    __syncthreads();  // all copies of `use` have arrived, and nobody reads `fill` any more
    const int fill = use ? use - 1 : STAGES - 1;
    if (slice + STAGES - 1 < last) copy_slice(slice + STAGES - 1, staged + fill * STAGE);
    cp_async_commit();
    const float* as = staged + use * STAGE;
    multiply<PASSES, true, WM, WN, A_ROW, B_ROW, 1>(acc, as + wm * A_ROW, as + BM * A_ROW + wn);
    use = use + 1 == STAGES ? 0 : use + 1;
  }

  __syncthreads();  // targets, where there was no slice
  const int area = written.d * written.h * written.w;
  float* to = result + (long long)blockIdx.z * g.part;
  each_value(acc, [&](int row, int column, float value) {
    const int m = m0 + wm + row;
    const long long target = targets[wn + column];
    if (m >= g.m || target < 0) return;
    float* const at = to + target + (long long)m * area;
    const float finished = finish(g, value, bias, group * g.m + m);
    *at = ADDS && g.add ? *at + finished : finished;
  });
}

// Backward by weights: part blockIdx.z of the sum over images and pixels.  k runs fastest in both operands, in memory
// and in the slices.  Each thread copies one k of every slice.
template <int PASSES, int BM, int BN, int WM, int WN, int STAGES, int BLOCKS>
__global__ void __launch_bounds__(BM / WM * (BN / WN) * 32, BLOCKS)
conv_weights(const float* __restrict__ dy, const float* __restrict__ x, float* __restrict__ parts,
             const Place* __restrict__ taps, const Place* __restrict__ pixels, Extent read, Weights g) {
  constexpr int THREADS = BM / WM * (BN / WN) * 32, ROW = DEPTH + 4, STAGE = (BM + BN) * ROW;
  DYNAMIC_SHARED(float, staged);
  __shared__ Place columns[BN];

  const int group = blockIdx.y, tiles = (g.m + BM - 1) / BM;
  const int m0 = blockIdx.x % tiles * BM, n0 = blockIdx.x / tiles * BN;
  for (int column = threadIdx.x; column < BN; column += THREADS)
    columns[column] = n0 + column < g.n ? taps[n0 + column] : Place{0, NOWHERE, 0, 0};
  __syncthreads();

  const int first = blockIdx.z * g.slices, last = min(first + g.slices, (g.images * g.pixels + DEPTH - 1) / DEPTH);
  const int lane = threadIdx.x % DEPTH;
  int image = (first * DEPTH + lane) / g.pixels, pixel = (first * DEPTH + lane) % g.pixels;

  constexpr int DOWN = THREADS / DEPTH;
  static_assert(BM % DOWN == 0 && BN % DOWN == 0, "a thread copies the same rows of every slice");
  const int down = threadIdx.x / DEPTH;
  auto copy_next_slice = [&](float* as) {
    float* const to = as + down * ROW + lane;
    const bool there = image < g.images;
    const Place here = there ? pixels[pixel] : Place{0, NOWHERE, 0, 0};
    const long long n = there ? image : 0;  // an address inside, read or not
    const float* slopes = dy + n * g.y_step + (group * g.m + m0) * g.pixels + pixel;
    const float* from = x + n * g.x_step + group * g.channels * (read.d * read.h * read.w);
#pragma unroll
    for (int m = 0; m < BM; m += DOWN) {
      const bool ok = there & (m0 + down + m < g.m);
      cp_async<4>(to + m * ROW, slopes + (down + m) * g.pixels, ok);
    }
#pragma unroll
    for (int column = 0; column < BN; column += DOWN) {
      const Place tap = columns[down + column];
      const bool ok = inside(read, here, tap);
      cp_async<4>(to + (BM + column) * ROW, from + (here.offset + tap.offset), ok);
    }
    for (pixel += DEPTH; pixel >= g.pixels; pixel -= g.pixels) ++image;
  };

  for (int ahead = 0; ahead < STAGES - 1; ++ahead) {
    if (first + ahead < last) copy_next_slice(staged + ahead * STAGE);
    cp_async_commit();
  }
  const int warp = threadIdx.x / 32, wm = warp / (BN / WN) * WM, wn = warp % (BN / WN) * WN;
  Accumulators<WM, WN> acc = {};
  int use = 0;
  for (int slice = first; slice < last; ++slice) {
    cp_async_wait<STAGES - 2>();
    __syncthreads();  // all copies of `use` have arrived, and nobody reads `fill` any more
    const int fill = use ? use - 1 : STAGES - 1;
    if (slice + STAGES - 1 < last) copy_next_slice(staged + fill * STAGE);
    cp_async_commit();
    const float* as = staged + use * STAGE;
    multiply<PASSES, false, WM, WN, ROW, 1, ROW>(acc, as + wm * ROW, as + (BM + wn) * ROW);
    use = use + 1 == STAGES ? 0 : use + 1;
  }

  float* to = parts + ((long long)blockIdx.z * g.groups + group) * g.m * g.n;
  each_value(acc, [&](int row, int column, float value) {
    const int m = m0 + wm + row, n = n0 + wn + column;
    if (m < g.m && n < g.n) to[(long long)m * g.n + n] = value;
  });
}

// packed[group, c, k] = weights[group, m, c, tap] for the m and tap that origins[k] stands for; 0 where it is -1.
// Times the factor of (group, c), if scaled.  They are rounded to TF32 here, once, if they will be multiplied so.
KERNEL conv_pack(const float* weights, const float* scale, float* packed, const int* origins, Pack g, int n) {
  FOR(e, n) {
    const int k = e % g.row, c = e / g.row % g.c, group = e / g.row / g.c;
    float value = origins[k] < 0 ? 0.0f : weights[group * g.m * g.c * g.taps + origins[k] + c * g.taps];
    if (g.scaled) value *= scale[group * g.c + c];
    packed[e] = g.round ? __uint_as_float(f32_to_tf32(value)) : value;
  }
}

// The parts' sum, in their order, with what is to follow it, is written to the result or added to it.  If there are no
// parts, the result is the sum.
KERNEL conv_add_parts(const float* parts, const float* scale, const float* bias, float* result, Parts g, int n) {
  const int size = g.channels * g.area;
  FOR(i, n) {
    float* const at = result + ((long long)(i / size) * g.step + i % size);
    float total = g.parts ? 0.0f : *at;
  #pragma unroll 8
    for (int part = 0; part < g.parts; ++part) total += parts[(long long)part * n + i];
    total = finish(g, total, scale, bias, i / g.area % g.channels);
    *at = g.add ? *at + total : total;
  }
}
