// CUDA half of power.py.

__device__ real raised(real base, real power) {
  if (power == 0) return 1;
  if (power == 1) return base;
  return power == 2 ? base * base : pow(base, power);
}

KERNEL power_forward(const real* x, real* y, real power, real scale, real shift, int n) {
  FOR(i, n) y[i] = raised(shift + scale * x[i], power);
}

KERNEL power_backward(const real* x, const real* dy, real* dx, real power, real scale, real shift, int n) {
  FOR(i, n) dx[i] = dy[i] * (power * scale) * raised(shift + scale * x[i], power - 1);
}
