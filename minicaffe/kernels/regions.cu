// CUDA half of regions.py: forward one thread per cell, backward one per pixel, which asks the regions in turn.

#define NONE 2147483647
#define LIMIT 16777216.0

// As in regions.py: double precision, rounded after every step, so that nothing can be fused.
__device__ double narrow(double value) { return double(float(value)); }
__device__ double nearest(double value) { return value >= 0 ? floor(value + 0.5) : ceil(value - 0.5); }

__device__ void cut(double low, double high, double scale, int cells, int extent, int whole, int* spans) {
  double start, size;
  if (whole) {
    start = nearest(narrow(low * scale));
    size = fmax(nearest(narrow(high * scale)) - start + 1, 1.0);
  } else {
    start = narrow(nearest(low) * scale);
    size = fmax(narrow(narrow((nearest(high) + 1) * scale) - start), double(0.1f));
  }
  const double step = narrow(size / cells);
  for (int i = 0; i < cells; ++i) {
    double first = narrow(i * step), last = narrow((i + 1) * step);
    first = whole ? floor(first) + start : floor(narrow(first + start));
    last = whole ? ceil(last) + start : ceil(narrow(last + start));
    spans[2 * i] = int(fmin(fmax(first, 0.0), double(extent)));
    spans[2 * i + 1] = int(fmin(fmax(last, 0.0), double(extent)));
  }
}

KERNEL region_spans(const real* rois, int* spans, int* position, real* value, Regions g, real scale, int whole, int n) {
  const int span = 1 + 2 * (g.rows + g.columns);
  FOR_BLOCK(one, n) {
    int earliest = NONE;
    for (int r = threadIdx.x; r < g.count; r += BLOCK) {
      const real* roi = rois + 5 * r;
      int* out = spans + r * span;
      int bad = NONE;
      for (int k = 4; k >= 0; --k) {
        const double number = roi[k];
        const bool fits = k == 0 ? number > -1 && number < g.images
                                 : fabs(number) < LIMIT && fabs(number * double(scale)) < LIMIT;
        if (!fits) bad = 5 * r + k;
      }
      earliest = min(earliest, bad);
      out[0] = bad == NONE ? int(roi[0]) : -1;
      if (bad != NONE) continue;
      cut(narrow(roi[2]), narrow(roi[4]), scale, g.rows, g.h, whole, out + 1);
      cut(narrow(roi[1]), narrow(roi[3]), scale, g.columns, g.w, whole, out + 1 + 2 * g.rows);
    }
    earliest = -block_max(-earliest);
    if (threadIdx.x == 0 && position[0] == NONE && earliest != NONE) {
      position[0] = earliest;
      value[0] = rois[earliest];
    }
  }
}

// A cell of a region: its part of the image.
struct Cell { int image, top, bottom, left, right; };
__device__ Cell cell_of(const int* spans, int region, int i, int j, const Regions& g) {
  const int *own = spans + region * (1 + 2 * (g.rows + g.columns)), *rows = own + 1 + 2 * i;
  const int* columns = own + 1 + 2 * (g.rows + j);
  return {own[0], rows[0], rows[1], columns[0], columns[1]};
}

KERNEL region_max_forward(const real* x, const int* spans, real* y, int* argmax, Regions g, int n) {
  FOR(o, n) {
    const int cells = g.rows * g.columns, c = o / cells % g.channels;
    const Cell cell = cell_of(spans, o / (cells * g.channels), o % cells / g.columns, o % g.columns, g);
    real best = nan("");
    int at = -1;
    if (cell.image >= 0) {
      const real* pixels = x + (cell.image * g.channels + c) * g.h * g.w;
      if (cell.top >= cell.bottom || cell.left >= cell.right) best = 0;
      for (int row = cell.top; row < cell.bottom; ++row)
        for (int index = row * g.w + cell.left; index < row * g.w + cell.right; ++index) {
          const real number = pixels[index];
          if (number == number && !(number <= best)) {
            best = number;
            at = index;
          }
        }
    }
    y[o] = best;
    argmax[o] = at;
  }
}

KERNEL region_max_backward(const real* dy, const int* spans, const int* argmax, real* dx, Regions g, int n) {
  const int area = g.h * g.w, cells = g.rows * g.columns, span = 1 + 2 * (g.rows + g.columns);
  FOR(e, n) {
    const int plane = e / area, at = e % area, row = at / g.w, column = at % g.w;
    const int image = plane / g.channels, c = plane % g.channels;
    real total = 0;
    for (int r = 0; r < g.count; ++r) {
      const int *own = spans + r * span, *rows = own + 1, *columns = rows + 2 * g.rows;
      if (own[0] != image || row < rows[0] || row >= rows[2 * g.rows - 1]) continue;
      for (int i = 0; i < g.rows; ++i) {
        if (row < rows[2 * i] || row >= rows[2 * i + 1]) continue;
        for (int j = 0; j < g.columns; ++j)
          if (column >= columns[2 * j] && column < columns[2 * j + 1]) {
            const int o = (r * g.channels + c) * cells + i * g.columns + j;
            if (argmax[o] == at) total += dy[o];
          }
      }
    }
    dx[e] = total;
  }
}

// The cell that channel c of a region stands for.
__device__ Cell cell_of_channel(const int* spans, int region, int c, const Regions& g) {
  return cell_of(spans, region, c / g.columns % g.rows, c % g.columns, g);
}

__device__ int area_of(const Cell& cell) { return max(cell.bottom - cell.top, 0) * max(cell.right - cell.left, 0); }

KERNEL position_mean_forward(const real* x, const int* spans, real* y, Regions g, int n) {
  FOR(o, n) {
    const int c = o % g.channels;
    const Cell cell = cell_of_channel(spans, o / g.channels, c, g);
    const real* pixels = x + (max(cell.image, 0) * g.channels + c) * g.h * g.w;
    real total = 0;
    if (cell.image >= 0)
      for (int row = cell.top; row < cell.bottom; ++row)
        for (int column = cell.left; column < cell.right; ++column) total += pixels[row * g.w + column];
    y[o] = cell.image < 0 ? real(nan("")) : total / max(area_of(cell), 1);
  }
}

KERNEL position_mean_backward(const real* dy, const int* spans, real* dx, Regions g, int n) {
  FOR(e, n) {
    const int plane = e / (g.h * g.w), row = e / g.w % g.h, column = e % g.w;
    const int image = plane / g.channels, c = plane % g.channels;
    real total = 0;
    for (int r = 0; r < g.count; ++r) {
      const Cell cell = cell_of_channel(spans, r, c, g);
      if (cell.image == image && row >= cell.top && row < cell.bottom && column >= cell.left && column < cell.right)
        total += dy[r * g.channels + c] / area_of(cell);
    }
    dx[e] = total;
  }
}
