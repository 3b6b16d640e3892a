// N consecutive elements, read or written at once.  Their address must be a multiple of their size: that of an array of
// the device is, that of a slice need not be.
template <int N> struct __align__(N * sizeof(real)) Vector { real of[N]; };

enum { WIDTH = 16 / sizeof(real) };  // the most elements one instruction reads

template <int N> __device__ Vector<N> load(const real* x) { return *reinterpret_cast<const Vector<N>*>(x); }
template <int N> __device__ void store(const Vector<N>& v, real* y) { *reinterpret_cast<Vector<N>*>(y) = v; }

// May all these arrays be read by WIDTH elements from their start?
template <typename... X> __device__ bool aligned(const X*... x) { return (... && (size_t(x) % 16 == 0)); }
