// CUDA half of transpose.py.

#include "divisor.cuh"

enum { FEW = 8 };  // as in transpose.py

__device__ int corner(int item, const Turn& g, int a, int b, int c) {
  return item / g.c / g.b * a + item / g.c % g.b * b + item % g.c * c;
}

// A matrix of few rows or columns: a thread for each element of y.  Neighbours write side by side, and read the few rows
// of x side by side too.
__device__ void turn_elements(const real* x, real* y, const Turn& g, int elements) {
  const Divisor columns(g.columns), rows(g.rows), c(g.c), b(g.b);
  for (int e = blockIdx.x * BLOCK + threadIdx.x; unsigned(e) < unsigned(elements); e += BLOCK * gridDim.x) {
    const int line = e / columns, q = e - line * g.columns, matrix = line / rows, r = line - matrix * g.rows;
    const int row = matrix / c, k = matrix - row * g.c, i = row / b, j = row - i * g.b;
    y[i * g.ya + j * g.yb + k * g.yc + r * g.y_step + q] = x[i * g.xa + j * g.xb + k * g.xc + q * g.x_step + r];
  }
}

// A block reads a square of LANES rows and columns along the rows of x and writes it along those of y.  In between it lies
// in shared memory, in lines one longer than a square, so that the elements of a column lie in different banks.
KERNEL turn(const real* x, real* y, Turn g, int n) {
  if (min(g.rows, g.columns) < FEW) {
    turn_elements(x, y, g, g.a * g.b * g.c * g.rows * g.columns);
    return;
  }
  __shared__ real square[LANES][LANES + 1];
  const int across = (g.rows - 1) / LANES + 1, down = (g.columns - 1) / LANES + 1;
  const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  FOR_BLOCK(item, n) {
    const int first_row = item % across * LANES, first_column = item / across % down * LANES;
    const int matrix = item / across / down, rows = min(LANES, g.rows - first_row);
    const int columns = min(LANES, g.columns - first_column);
    const real* source = x + corner(matrix, g, g.xa, g.xb, g.xc) + first_column * g.x_step + first_row;
    real* target = y + corner(matrix, g, g.ya, g.yb, g.yc) + first_row * g.y_step + first_column;
    for (int q = warp; q < columns; q += WARPS)
      if (lane < rows) square[q][lane] = source[q * g.x_step + lane];
    __syncthreads();
    for (int r = warp; r < rows; r += WARPS)
      if (lane < columns) target[r * g.y_step + lane] = square[lane][r];
    __syncthreads();
  }
}
