// CUDA half of unpooling.py.

#define NONE 2147483647

KERNEL find_places(const real* mask, int* places, int* position, Unpool g, int n) {
  const int size = g.oh * g.ow;
  FOR(i, n) {
    const bool inside = mask[i] > -1 && mask[i] < size;
    places[i] = inside ? int(mask[i]) : -1;
    if (!inside) atomicMin(position, i);
  }
}

KERNEL show_place(const real* mask, const int* places, const int* position, real* value, Unpool g, int n) {
  FOR(one, n) {
    const int at = position[0];
    if (at != NONE && at < g.planes * g.h * g.w && places[at] < 0) value[0] = mask[at];
  }
}

KERNEL corner_places(int* places, Unpool g, int n) {
  FOR(i, n) places[i] = i / g.w % g.h * g.sh * g.ow + i % g.w * g.sw;
}

// A block takes a plane.  While values look for their places, a pixel's memory holds the number of the last value that came.
KERNEL place_forward(const real* x, const int* places, real* y, Unpool g, int n) {
  enum { WORDS = sizeof(real) / sizeof(int) };
  const int inputs = g.h * g.w, outputs = g.oh * g.ow;
  FOR_BLOCK(p, n) {
    real* plane = y + p * outputs;
    int* last = reinterpret_cast<int*>(plane);
    for (int o = threadIdx.x; o < outputs; o += BLOCK) last[o * WORDS] = -1;
    __syncthreads();
    for (int i = threadIdx.x; i < inputs; i += BLOCK) {
      const int place = places[p * inputs + i];
      if (place >= 0) atomicMax(last + place * WORDS, i);
    }
    __syncthreads();
    for (int o = threadIdx.x; o < outputs; o += BLOCK) {
      const int i = last[o * WORDS];
      plane[o] = i < 0 ? real(0) : x[p * inputs + i];
    }
  }
}

KERNEL place_backward(const real* dy, const int* places, real* dx, Unpool g, int n) {
  const int inputs = g.h * g.w, outputs = g.oh * g.ow;
  FOR(i, n) dx[i] = places[i] < 0 ? real(0) : dy[i / inputs * outputs + places[i]];
}

__device__ int first_window(int at, int kernel, int stride) { return at < kernel ? 0 : (at - kernel) / stride + 1; }
__device__ real area(int i, int j, const Unpool& g) {
  return real((min(i * g.sh + g.kh, g.oh) - i * g.sh) * (min(j * g.sw + g.kw, g.ow) - j * g.sw));
}

KERNEL spread_forward(const real* x, real* y, Unpool g, int mean, int n) {
  FOR(o, n) {
    const int c = o % g.ow, r = o / g.ow % g.oh, p = o / (g.ow * g.oh);
    const int end_i = min(r / g.sh + 1, g.h), end_j = min(c / g.sw + 1, g.w);
    real total = 0;
    for (int i = first_window(r, g.kh, g.sh); i < end_i; ++i)
      for (int j = first_window(c, g.kw, g.sw); j < end_j; ++j) {
        const real value = x[(p * g.h + i) * g.w + j];
        total += mean ? value / area(i, j, g) : value;
      }
    y[o] = total;
  }
}

KERNEL spread_backward(const real* dy, real* dx, Unpool g, int mean, int n) {
  FOR(e, n) {
    const int j = e % g.w, i = e / g.w % g.h, p = e / (g.w * g.h);
    const int end_r = min(i * g.sh + g.kh, g.oh), end_c = min(j * g.sw + g.kw, g.ow);
    real total = 0;
    for (int r = i * g.sh; r < end_r; ++r)
      for (int c = j * g.sw; c < end_c; ++c) total += dy[(p * g.oh + r) * g.ow + c];
    dx[e] = mean ? total / area(i, j, g) : total;
  }
}
