"""ROIWarping: regions of images, each brought to the same number of cells by samples between pixels."""

from __future__ import annotations

from ...kernels import warping
from .regions import RegionPooling, positive


class ROIWarping(RegionPooling):
    """y = the greatest sample of x in each cell of each region; 0 for a cell without any.

    The corners of a region (image, x1, y1, x2, y2) are round(corner * spatial_scale), and it is as high and
    wide as they are apart.  A cell has as many samples along an axis as pixels, rounded up, and one more
    where the next cell begins.  A sample lies between four pixels of x; more than half a pixel outside of x
    there is none.

    Param     roi_warping_param: pooled_h and pooled_w, the rows and columns of cells; spatial_scale (1),
              pixels of x for one of the image that corners are given in.
    Shapes    bottom[0]: x (n, c, h, w); bottom[1]: regions (r, 5), or with ones behind; the image is cut to
              a whole number; top[0]: (r, c, pooled_h, pooled_w).
    Backward  dx = dy, shared among the four pixels around the greatest sample, region after region; the
              gradient of regions is 0.  Reads nothing: where the samples stand is saved.
    Source    ROIWarping of MNC's Caffe; Dai, He & Sun 2016.
    Differs   runs on every device.  Regions have no gradient, where the fork has an estimate of one.  Where
              samples stand is found in float32, in nets of float64 too.
    Raises    DataError for an image that is none of bottom 0's and a corner that is no number; y is NaN
              there.
    """

    type = "ROIWarping"
    operations = (0, 0, 0)
    not_in_onnx = "how many samples a cell has goes with the size of its region; ONNX has no such pooling"

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.roi_warping_param
        self.warp = self.device.bind(warping)
        self.cells = tuple(positive(self, conf, "pooled_h", "pooled_w"))

    def reshape(self, bottom, top):
        self.take_regions(bottom, self.cells, self.param.roi_warping_param.spatial_scale, whole=True)
        shape = (self.g.count, self.g.channels, *self.cells)
        top[0].reshape(*shape)
        self.at = self.saved((*shape, 2))

    def forward(self, bottom, top):
        rois, spans = bottom[1].data, self.spans.data
        self.find_cells(rois)
        self.warp.region_warp_forward(
            bottom[0].data, rois, spans, top[0].data, self.at.data, self.g, self.scale
        )  # fmt: skip

    def pass_down(self, dy, dx):
        self.warp.region_warp_backward(dy, self.spans.data, self.at.data, dx, self.g)

    def backward_operations(self, bottom, top, propagate_down, params):
        return 4 * top[0].count * propagate_down[0]
