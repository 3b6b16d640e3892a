// What follows the sum in a convolution's forward: a factor and a summand of the channel, and max(0, .), in which NaN
// stays NaN.
template <class Geometry> __device__ real finish(const Geometry& g, real v, const real* bias, int channel) {
  if (g.bias) v += bias[channel];
  return g.relu && v <= 0 ? real(0) : v;
}

template <class Geometry>
__device__ real finish(const Geometry& g, real v, const real* scale, const real* bias, int channel) {
  return finish(g, g.scaled ? v * scale[channel] : v, bias, channel);
}
