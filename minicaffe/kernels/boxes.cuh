// What pooling3d.cu and stochastic_pooling.cu share, on top of windows.cuh: windows over depth, rows and columns.

// The window of output `o`, a flat index over planes and outputs.
struct Box { Span z, i, j; };
__device__ Box box(int o, const Pool3d& g) {
  return {window(o / (g.oh * g.ow) % g.od, g.kd, g.sd, g.pd, g.d), window(o / g.ow % g.oh, g.kh, g.sh, g.ph, g.h),
          window(o % g.ow, g.kw, g.sw, g.pw, g.w)};
}

// Runs the statement behind it for every input of a box: `index` is its place in its plane.
#define EACH_INSIDE(b, g)                                   \
  for (int z = b.z.first; z < b.z.last; ++z)                \
    for (int i = b.i.first; i < b.i.last; ++i)              \
      for (int index = (z * g.h + i) * g.w + b.j.first,     \
               end = index + b.j.last - b.j.first;          \
           index < end; ++index)

// Runs the statement behind it for every output whose window holds input `at` of a plane: `o` is its place.
#define EACH_HOLDER(at, g)                                                                            \
  const Holders zs = holders(at / (g.h * g.w), g.kd, g.sd, g.pd, g.od);                               \
  const Holders is = holders(at / g.w % g.h, g.kh, g.sh, g.ph, g.oh);                                 \
  const Holders js = holders(at % g.w, g.kw, g.sw, g.pw, g.ow);                                       \
  for (int z = zs.first; z < zs.last; ++z)                                                            \
    for (int i = is.first; i < is.last; ++i)                                                          \
      for (int o = (z * g.oh + i) * g.ow + js.first, end = o + js.last - js.first; o < end; ++o)
