// CUDA half of angular.py.

enum { SINGLE, DOUBLE, TRIPLE, QUADRUPLE };  // as in angular.py

KERNEL anneal(real* passes, real* value, int iteration, int before, real gamma, real power, real base, real low, real high,
              int product, int n) {
  FOR(i, n) {
    const real t = iteration + before + passes[0];
    passes[0] += 1;
    const real p = pow(1 + gamma * t, power), v = product ? base * p : base + p - 1;
    value[0] = min(max(v, low), high);
  }
}

KERNEL normalize_rows(real* w, int rows, int length, real eps, real slack, int n) {
  FOR_BLOCK(r, n) {
    real* row = w + r * length;
    real total = 0;
    for (int k = threadIdx.x; k < length; k += BLOCK) total += row[k] * row[k];
    total = block_sum(total) + eps;
    if (fabs(total - 1) <= slack) continue;
    const real norm = sqrt(total);
    for (int k = threadIdx.x; k < length; k += BLOCK) row[k] /= norm;
  }
}

__device__ real sign(real v) { return real(v > 0) - real(v < 0); }

KERNEL margin_forward(const real* x, const int* picked, real* y, real* norms, real* cosines, const real* strength, Items g,
                      int kind, int n) {
  FOR(i, n) {
    real square = 0;
    for (int k = i * g.length; k < (i + 1) * g.length; ++k) square += x[k] * x[k];
    norms[i] = sqrt(square);
    const int label = picked[i];
    if (label < 0) {
      cosines[i] = 0;
      for (int c = 0; c < g.classes; ++c) y[i * g.classes + c] = real(nan(""));
      continue;
    }
    const int at = i * g.classes + label;
    const real c = y[at] / norms[i], s0 = sign(c);
    cosines[i] = c;
    real f = c;
    if (kind == DOUBLE) {
      f = 2 * s0 * c * c - 1;
    } else if (kind == TRIPLE) {
      const real s1 = sign(fabs(c) - real(0.5));
      f = s1 * (4 * c * c * c - 3 * c) + s0 * (1 + s1) - 2;
    } else if (kind == QUADRUPLE) {
      const real s3 = s0 * sign(2 * c * c - 1);
      f = s3 * (8 * c * c * c * c - 8 * c * c + 1) + 2 * s0 + s3 - 3;
    }
    if (kind != SINGLE) y[at] = (f * norms[i] + strength[0] * y[at]) / (1 + strength[0]);
  }
}

KERNEL margin_slopes(const real* dy, const int* picked, const real* norms, const real* cosines, const real* strength,
                     real* slope, real* shares, Items g, int kind, int n) {
  FOR(i, n) {
    for (int j = i * g.classes; j < (i + 1) * g.classes; ++j) slope[j] = dy[j];
    shares[i] = 0;
    const int label = picked[i];
    if (label < 0 || kind == SINGLE) continue;
    const real c = cosines[i], s0 = sign(c);
    real w, x;
    if (kind == DOUBLE) {
      w = 4 * s0 * c;
      x = -(2 * s0 * c * c + 1);
    } else if (kind == TRIPLE) {
      const real s1 = sign(fabs(c) - real(0.5));
      w = s1 * (12 * c * c - 3);
      x = -(8 * s1 * c * c * c - s0 * (1 + s1) + 2);
    } else {
      const real s3 = s0 * sign(2 * c * c - 1);
      w = s3 * (32 * c * c * c - 16 * c);
      x = -(s3 * (24 * c * c * c * c - 8 * c * c - 1) - 2 * s0 - s3 + 3);
    }
    x /= norms[i];
    const real size = sqrt(w * w + x * x), above = dy[i * g.classes + label] / (1 + strength[0]);
    slope[i * g.classes + label] = above * (w / size + strength[0]);
    shares[i] = above * (x / size);
  }
}

KERNEL add_shares(const real* x, const real* shares, real* dx, Items g, int n) {
  FOR(k, n) dx[k] += shares[k / g.length] * x[k];
}

KERNEL shift_own(const real* x, const int* picked, real* y, const real* shift, Items g, int n) {
  FOR(at, n) {
    const real v = x[at];
    y[at] = at % g.classes == picked[at / g.classes] && v > -shift[0] ? v + shift[0] : v;
  }
}

KERNEL rescale_own(const real* x, const int* picked, real* y, const real* own, Items g, real other, int above, int fixed,
                   int powers, int n) {
  FOR(at, n) {
    const real v = x[at];
    if (at % g.classes != picked[at / g.classes]) y[at] = other * v;
    else if (above && !(v > 0)) y[at] = v;
    else if (powers) y[at] = sign(v) * pow(fabs(v), own[0]);
    else y[at] = own[0] * v + (fixed ? 1 - own[0] : real(0));
  }
}

KERNEL rescale_own_backward(const real* x, const int* picked, const real* dy, real* dx, const real* own, Items g,
                            real other, int above, int powers, int n) {
  FOR(at, n) {
    real slope = other;
    if (at % g.classes == picked[at / g.classes]) {
      slope = own[0];
      if (above && !(x[at] > 0)) slope = 1;
      else if (powers) slope = own[0] * pow(fabs(x[at]), own[0] - 1);
    }
    dx[at] = slope * dy[at];
  }
}
