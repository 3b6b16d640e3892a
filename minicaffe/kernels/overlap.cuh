// What kernels of boxes share: xmin, ymin, xmax, ymax, as shares of the image.

// 0 where a box is inside out.
__device__ real area(const real* box) {
  const real width = box[2] - box[0], height = box[3] - box[1];
  return width < 0 || height < 0 ? real(0) : width * height;
}

// What two boxes have in common, as a share of what they cover together.
__device__ real overlap(const real* a, const real* b) {
  const real width = min(a[2], b[2]) - max(a[0], b[0]), height = min(a[3], b[3]) - max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const real common = width * height;
  return common / (area(a) + area(b) - common);
}
