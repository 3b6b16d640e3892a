// CUDA half of pooling3d.py: forward one thread per output, backward one per input, gathering.

#include "windows.cuh"
#include "boxes.cuh"

// How many elements the mean of a window is over.
__device__ int area(const Box& b, const Pool3d& g) {
  const int rows = counted(b.i.start, g.kh, g.ph, g.h, g.bare), columns = counted(b.j.start, g.kw, g.pw, g.w, g.bare);
  return counted(b.z.start, g.kd, g.pd, g.d, g.bare) * rows * columns;
}

KERNEL max_pool_forward(const real* x, real* y, int* mask, Pool3d g, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const Box b = box(k, g);
    const real* volume = x + k / outputs * size;
    real best = volume[(b.z.first * g.h + b.i.first) * g.w + b.j.first];
    int at = -1;  // until a number is seen
    EACH_INSIDE(b, g) {
      const real value = volume[index];
      if (value > best || (at < 0 && value == value)) {
        best = value;
        at = index;
      }
    }
    y[k] = best;
    mask[k] = at;
  }
}

KERNEL max_pool_backward(const real* dy, const int* mask, real* dx, Pool3d g, int add, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const int at = k % size, first = k / size * outputs;
    real total = 0;
    EACH_HOLDER(at, g) {
      if (mask[first + o] == at) total += dy[first + o];
    }
    dx[k] = add ? dx[k] + total : total;
  }
}

KERNEL ave_pool_forward(const real* x, real* y, Pool3d g, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const Box b = box(k, g);
    const real* volume = x + k / outputs * size;
    real total = 0;
    EACH_INSIDE(b, g) total += volume[index];
    y[k] = total / area(b, g);
  }
}

KERNEL ave_pool_backward(const real* dy, real* dx, Pool3d g, int add, int n) {
  const int size = g.d * g.h * g.w, outputs = g.od * g.oh * g.ow;
  FOR(k, n) {
    const int at = k % size, first = k / size * outputs;
    real total = 0;
    EACH_HOLDER(at, g) total += dy[first + o] / area(box(o, g), g);
    dx[k] = add ? dx[k] + total : total;
  }
}
