"""ROIPooling: regions of images, each brought to the same number of cells."""

from __future__ import annotations

import numpy as np

from .regions import RegionPooling, positive


class ROIPooling(RegionPooling):
    """y = maximum of x over each cell of each region; 0 for an empty cell.

    The corners of a region (image, x1, y1, x2, y2) are round(corner * spatial_scale), in pixels of x, and
    belong to it; it is at least one pixel high and wide.  Cell i of p begins at start + floor(i b) and ends
    before start + ceil((i + 1) b), b = size / p, as far as that lies in the image; so cells may overlap.

    Param     roi_pooling_param: pooled_h and pooled_w, the rows and columns of cells; spatial_scale (1),
              pixels of x for one of the image that corners are given in.
    Shapes    bottom[0]: x (n, c, h, w); bottom[1]: regions (r, 5), or with ones behind; the image is cut to
              a whole number; top[0]: (r, c, pooled_h, pooled_w).
    Backward  dx = sum of dy over the cells whose maximum it was, region after region; the gradient of regions
              is 0.  Reads nothing: where the maxima stand is saved.
    Source    ROIPooling of Fast R-CNN's Caffe; Girshick 2015.
    Differs   has a gradient on the CPU too.  A cell of -inf gives -inf, one of NaN gives NaN, where the fork
              gives -3.4e38.  pooled_size, of Intel's fork, is refused.  Corners and cells are found in
              float32, in nets of float64 too, as a cell may end elsewhere in higher precision.
    Raises    DataError for an image that is none of bottom 0's and a corner that is no number; y is NaN
              there.
    """

    type = "ROIPooling"
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.roi_pooling_param
        self.require(
            not conf.pooled_size,
            "roi_pooling_param.pooled_size is not supported",
            "set pooled_h and pooled_w",
        )
        self.cells = tuple(positive(self, conf, "pooled_h", "pooled_w"))

    def reshape(self, bottom, top):
        self.take_regions(bottom, self.cells, self.param.roi_pooling_param.spatial_scale, whole=True)
        shape = (self.g.count, self.g.channels, *self.cells)
        top[0].reshape(*shape)
        self.argmax = self.saved(shape, np.int32)

    def forward(self, bottom, top):
        self.find_cells(bottom[1].data)
        self.k.region_max_forward(bottom[0].data, self.spans.data, top[0].data, self.argmax.data, self.g)

    def pass_down(self, dy, dx):
        self.k.region_max_backward(dy, self.spans.data, self.argmax.data, dx, self.g)

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0]
