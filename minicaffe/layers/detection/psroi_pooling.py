"""PSROIPooling: regions of images, each cell of which has channels of its own."""

from __future__ import annotations

from ...errors import ShapeError
from .regions import RegionPooling, positive


class PSROIPooling(RegionPooling):
    """y[r, d, i, j] = mean over cell (i, j) of region r of channel (d g + i) g + j; 0 for an empty cell.

    A region (image, x1, y1, x2, y2) reaches from round(corner 1) * spatial_scale to (round(corner 2) + 1) *
    spatial_scale, at least 0.1 pixels of x, and has g * g cells.  Cell i begins at floor(start + i b) and
    ends before ceil(start + (i + 1) b), b = size / g, as far as that lies in the image.

    Param     psroi_pooling_param, all needed: spatial_scale, pixels of x for one of the image that corners
              are given in; output_dim, the channels of y; group_size, g.
    Shapes    bottom[0]: x (n, output_dim g g, h, w); bottom[1]: regions (r, 5), or with ones behind; the
              image is cut to a whole number; top[0]: (r, output_dim, g, g).
    Backward  dx = sum of dy / area over the cells that hold the element, region after region; the gradient of
              regions is 0.  Reads nothing.
    Source    PSROIPooling of R-FCN's Caffe; Dai, Li, He & Sun 2016.
    Differs   runs on every device.  Cells are found in float32, in nets of float64 too, as a cell may end
              elsewhere in higher precision.
    Raises    ShapeError for a wrong number of channels; DataError for an image that is none of bottom 0's and
              a corner that is no number; y is NaN there.
    """

    type = "PSROIPooling"
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.psroi_pooling_param
        self.scale, self.depth, self.group = positive(self, conf, "spatial_scale", "output_dim", "group_size")

    def reshape(self, bottom, top):
        self.take_regions(bottom, (self.group, self.group), self.scale, whole=False)
        channels = self.depth * self.group**2
        if self.g.channels != channels:
            raise ShapeError(
                f"bottom 0 must have output_dim x group_size x group_size = {channels} channels;"
                f" got {bottom[0].shape}"
            )
        top[0].reshape(self.g.count, self.depth, self.group, self.group)

    def forward(self, bottom, top):
        self.find_cells(bottom[1].data)
        self.k.position_mean_forward(bottom[0].data, self.spans.data, top[0].data, self.g)

    def pass_down(self, dy, dx):
        self.k.position_mean_backward(dy, self.spans.data, dx, self.g)
