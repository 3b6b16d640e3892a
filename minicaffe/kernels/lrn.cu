// CUDA half of lrn.py: a thread walks along lines where neighbourhoods are those of nearly every net, five channels;
// else one thread per element sums its neighbourhood.

enum { REACH = 2, STRETCH = 32 };  // as in lrn.py
enum { NEAR = 2 * REACH + 1, AHEAD = 4 };  // lines of a neighbourhood; lines that a thread reads before it works on them

// The lines and columns near element `e` of a group.
struct Near { int first_line, last_line, first_column, last_column; };
__device__ Near neighbourhood(const Lrn& g, int e) {
  const int i = e / g.w, j = e % g.w;
  return {max(i - g.lines, 0), min(i + g.lines + 1, g.h), max(j - g.columns, 0), min(j + g.columns + 1, g.w)};
}

__device__ real power(real base, real beta) {
  if (beta != real(0.75)) return pow(base, beta);
  const real root = sqrt(base);
  return root * sqrt(root);
}

__device__ bool walks(const Lrn& g) { return g.lines == REACH && g.columns == 0; }

// The lines first <= i < last of a group that a thread walks, down one column; elements are w apart.
struct Walk { int start, column, first, last; };  // start: the group's first element
__device__ Walk walk(const Lrn& g, int item) {
  const int stretches = (g.h + STRETCH - 1) / STRETCH, part = item / g.w, first = part % stretches * STRETCH;
  return {part / stretches * g.h * g.w, item % g.w, first, min(first + STRETCH, g.h)};
}

// Makes room for what the line REACH behind the present one brings in.
template <int N> __device__ void shift(real (&window)[N], real next) {
  for (int k = 1; k < N; ++k) window[k - 1] = window[k];
  window[N - 1] = next;
}

// Every element is read once, and its neighbours are kept.  The sum is made anew for each line: one carried along, with
// squares added and taken off again, would remember large values after they are gone.
__device__ void walk_forward(const real* x, real* y, real* inverse, const Lrn& g, real k, real alpha, real beta, int n) {
  FOR(item, n) {
    const Walk at = walk(g, item);
    const int column = at.start + at.column;
    const auto line_of = [&](int i) { return i >= 0 && i < g.h ? x[column + i * g.w] : real(0); };
    real near[NEAR] = {};
    for (int i = at.first - REACH; i < at.first + REACH; ++i) shift(near, line_of(i));
    for (int first = at.first; first < at.last; first += AHEAD) {
      real next[AHEAD];
      for (int a = 0; a < AHEAD; ++a) next[a] = line_of(first + a + REACH);
#pragma unroll
      for (int a = 0; a < AHEAD; ++a) {
        if (first + a >= at.last) break;
        shift(near, next[a]);
        real total = 0;
        for (int line = 0; line < NEAR; ++line) total += near[line] * near[line];
        const int e = column + (first + a) * g.w;
        const real s = 1 / (k + alpha * total);
        inverse[e] = s;
        y[e] = near[REACH] * power(s, beta);
      }
    }
  }
}

// What the backward pass needs of a line.
struct Line {
  real dy, y, inverse;
  __device__ real weight() const { return dy * y * inverse; }
};

__device__ void walk_backward(const real* x, const real* y, const real* inverse, const real* dy, real* dx, const Lrn& g,
                              real factor, real beta, int n) {
  FOR(item, n) {
    const Walk at = walk(g, item);
    const int column = at.start + at.column;
    const auto line_of = [&](int i) {
      const int e = column + i * g.w;
      return i >= 0 && i < g.h ? Line{dy[e], y[e], inverse[e]} : Line{0, 0, 1};
    };
    real near[NEAR] = {};
    for (int i = at.first - REACH; i < at.first + REACH; ++i) shift(near, line_of(i).weight());
    for (int first = at.first; first < at.last; first += AHEAD) {
      Line next[AHEAD];
      real present[AHEAD];
      for (int a = 0; a < AHEAD; ++a) {
        next[a] = line_of(first + a + REACH);
        present[a] = first + a < at.last ? x[column + (first + a) * g.w] : real(0);
      }
#pragma unroll
      for (int a = 0; a < AHEAD; ++a) {
        if (first + a >= at.last) break;
        shift(near, next[a].weight());
        real total = 0;
        for (int line = 0; line < NEAR; ++line) total += near[line];
        const int e = column + (first + a) * g.w;  // of dy and inverse read shortly before: a cache has it
        dx[e] = dy[e] * power(inverse[e], beta) - factor * present[a] * total;
      }
    }
  }
}

KERNEL lrn_forward(const real* x, real* y, real* inverse, Lrn g, real k, real alpha, real beta, int n) {
  if (walks(g)) {
    walk_forward(x, y, inverse, g, k, alpha, beta, n);
    return;
  }
  const int size = g.h * g.w;
  FOR(e, n) {
    const Near near = neighbourhood(g, e % size);
    const real* group = x + e / size * size;
    real total = 0;
    for (int i = near.first_line; i < near.last_line; ++i)
      for (int j = near.first_column; j < near.last_column; ++j) total += group[i * g.w + j] * group[i * g.w + j];
    inverse[e] = 1 / (k + alpha * total);
    y[e] = x[e] * power(inverse[e], beta);
  }
}

KERNEL lrn_backward(const real* x, const real* y, const real* inverse, const real* dy, real* dx, Lrn g, real factor,
                    real beta, int n) {
  if (walks(g)) {
    walk_backward(x, y, inverse, dy, dx, g, factor, beta, n);
    return;
  }
  const int size = g.h * g.w;
  FOR(e, n) {
    const Near near = neighbourhood(g, e % size);
    const int group = e / size * size;
    real total = 0;
    for (int i = near.first_line; i < near.last_line; ++i)
      for (int j = near.first_column; j < near.last_column; ++j) {
        const int other = group + i * g.w + j;
        total += dy[other] * y[other] * inverse[other];
      }
    dx[e] = dy[e] * power(inverse[e], beta) - factor * x[e] * total;
  }
}
