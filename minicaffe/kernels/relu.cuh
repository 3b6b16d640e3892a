// A kernel's last step where a net ends a layer in a ReLU: v, or with relu 0 where v <= 0.  NaN stays NaN.
__device__ real rectified(real v, int relu) { return relu && v <= 0 ? real(0) : v; }
