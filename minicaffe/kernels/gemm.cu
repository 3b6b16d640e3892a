// CUDA half of gemm.py.

#include "relu.cuh"

// A block computes a 16 x 16 tile of c; a and b pass through shared memory in slices 16 deep.
KERNEL gemm(const real* a, const real* b, real* c, Gemm g, int n) {
  __shared__ real as[16][17], bs[16][17];  // one column of padding: no bank conflicts
  const int row = threadIdx.x / 16, column = threadIdx.x % 16, across = (g.n + 15) / 16;
  FOR_BLOCK(tile, n) {
    const int i = tile / across * 16 + row, j = tile % across * 16 + column;
    real total = 0;
    for (int p0 = 0; p0 < g.k; p0 += 16) {
      const int pa = p0 + column, pb = p0 + row;
      as[row][column] = i < g.m && pa < g.k ? (g.ta ? a[pa * g.m + i] : a[i * g.k + pa]) : real(0);
      bs[row][column] = pb < g.k && j < g.n ? (g.tb ? b[j * g.k + pb] : b[pb * g.n + j]) : real(0);
      __syncthreads();
      for (int p = 0; p < 16; ++p) total += as[row][p] * bs[p][column];
      __syncthreads();
    }
    if (i < g.m && j < g.n) c[i * g.n + j] = g.add ? c[i * g.n + j] + total : total;
  }
}

KERNEL add_bias(const real* bias, real* y, int rows, int columns, int relu, int n) {
  FOR(i, n) y[i] = rectified(y[i] + bias[i % columns], relu);
}

// dbias[j] += sum over i of at(i * columns + j).  A block adds up LANES columns, each of its warps every eighth row; then
// the first warp what all warps have.
template <typename At> __device__ void add_columns(At at, real* dbias, int rows, int columns, int n) {
  __shared__ real part[WARPS][LANES];
  const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  FOR_BLOCK(item, n) {
    const int j = item * LANES + lane;
    real total = 0;
    if (j < columns)
      for (int i = warp; i < rows; i += WARPS) total += at(i * columns + j);
    part[warp][lane] = total;
    __syncthreads();
    if (warp == 0 && j < columns) {
      for (int other = 1; other < WARPS; ++other) total += part[other][lane];
      dbias[j] += total;
    }
    __syncthreads();
  }
}

KERNEL add_column_sums(const real* dy, real* dbias, int rows, int columns, int n) {
  add_columns([=](int e) { return dy[e]; }, dbias, rows, columns, n);
}

KERNEL relu_add_column_sums(const real* y, real* dy, real* dbias, int rows, int columns, int n) {
  add_columns([=](int e) { return dy[e] = y[e] > 0 ? dy[e] : dy[e] * 0; }, dbias, rows, columns, n);
}
