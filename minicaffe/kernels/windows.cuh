// What the CUDA halves of all pooling families share: windows along one axis.

// Along one axis: where the window of output `o` begins, and its part inside the image.
struct Span { int start, first, last; };
__device__ Span window(int o, int kernel, int stride, int pad, int extent) {
  const int start = o * stride - pad;
  return {start, max(start, 0), min(start + kernel, extent)};
}

// How much of a window counts for the mean: padding does, unless bare, what lies beyond it, behind the image, does not.
__device__ int counted(int start, int kernel, int behind, int extent, int bare) {
  return bare ? min(start + kernel, extent) - max(start, 0) : min(start + kernel, extent + behind) - start;
}

// The outputs whose windows hold input `at`: first <= o < last.
struct Holders { int first, last; };
template <typename Stride>  // int or Divisor
__device__ Holders holders(int at, int kernel, const Stride& stride, int pad, int outputs) {
  const int shifted = at + pad;
  return {shifted < kernel ? 0 : (shifted - kernel) / stride + 1, min(shifted / stride + 1, outputs)};
}
