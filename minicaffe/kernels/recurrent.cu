// CUDA half of recurrent.py: a thread per hidden number.

// What comes over from another step: nothing at all, NaN neither, where cont is 0.
__device__ real over(real cont, real value) { return cont == 0 ? real(0) : cont * value; }

// cont of the step that follows, if one does.
__device__ real next(const real* cont, TimeStep g, int s) { return g.more ? cont[g.n + s] : real(0); }

__device__ real logistic(real x) { return 1 / (1 + exp(-x)); }

KERNEL keep(const real* h, const real* cont, real* kept, TimeStep g, int n) {
  FOR(k, n) kept[k] = over(cont[k / g.d], h[k]);
}

KERNEL lstm_forward(real* gates, const real* cont, const real* c_before, real* c, real* h, real* kept, TimeStep g,
                    int n) {
  FOR(k, n) {
    const int s = k / g.d;
    real* of = gates + s * 4 * g.d + k % g.d;  // this number's i, f, o and g lie d apart
    const real i = logistic(of[0]), f = logistic(of[g.d]), o = logistic(of[2 * g.d]), a = tanh(of[3 * g.d]);
    of[0] = i;
    of[g.d] = f;
    of[2 * g.d] = o;
    of[3 * g.d] = a;
    c[k] = f * over(cont[s], c_before[k]) + i * a;
    h[k] = o * tanh(c[k]);
    if (g.more) kept[k] = over(next(cont, g, s), h[k]);
  }
}

KERNEL lstm_backward(const real* gates, const real* cont, const real* c_before, const real* c, const real* dh,
                     const real* down, real* dc, real* dgates, TimeStep g, int n) {
  FOR(k, n) {
    const int s = k / g.d, first = s * 4 * g.d + k % g.d;
    const real i = gates[first], f = gates[first + g.d], o = gates[first + 2 * g.d], a = gates[first + 3 * g.d];
    const real t = tanh(c[k]), e = dh[k] + over(next(cont, g, s), down[k]);
    const real r = dc[k] + e * o * (1 - t * t);
    dgates[first] = r * a * i * (1 - i);
    dgates[first + g.d] = r * over(cont[s], c_before[k]) * f * (1 - f);
    dgates[first + 2 * g.d] = e * t * o * (1 - o);
    dgates[first + 3 * g.d] = r * i * (1 - a * a);
    dc[k] = over(cont[s], r * f);
  }
}

KERNEL rnn_forward(real* h, const real* cont, real* kept, TimeStep g, int n) {
  FOR(k, n) {
    h[k] = tanh(h[k]);
    if (g.more) kept[k] = over(next(cont, g, k / g.d), h[k]);
  }
}

KERNEL rnn_backward(const real* h, const real* cont, const real* down, real* dh, TimeStep g, int n) {
  FOR(k, n) dh[k] = (dh[k] + over(next(cont, g, k / g.d), down[k])) * (1 - h[k] * h[k]);
}
