"""Interp: images of another size, interpolated bilinearly."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import interp
from ...proto.schema import Message


class Interp(Layer):
    """y_ij = x at row i (h - 1) / (oh - 1) and column j (w - 1) / (ow - 1), from the four pixels around it.

    So the corners of y are those of x; where oh is 1 it is the first row.

    Param     interp_param: height and width, of y; or shrink_factor, q: oh = (h - 1) / q + 1; or zoom_factor,
              z: oh = h + (h - 1) (z - 1); or both, shrunk and then zoomed.  Of these the first in the order
              shrink alone, zoom alone, height and width, both.  pad_beg and pad_end (0), at most 0: so many
              rows and columns of x are left out at the beginnings and ends.  A factor counts as given if it
              is set, even to 1.
    Shapes    bottom[0]: x (n, c, h, w); top[0]: (n, c, oh, ow), where h and w count what is not left out.
    Backward  dx = dy, shared among the four pixels; 0 for what is left out.  Reads nothing.
    Source    Interp of PSPNet's Caffe (from DeepLab); Chen et al. 2016.
    Differs   runs on every device.  full_zoom_factor, of Synopsys' fork, is refused.  Places are found in
              float32, in nets of float64 too.
    Raises    ShapeError where nothing of x or y would be left.
    """

    type = "Interp"
    kernels = interp
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.interp_param
        self.require(
            not conf.HasField("full_zoom_factor"),
            "interp_param.full_zoom_factor is not supported",
            hint="set height and width, or zoom_factor",
        )
        self.require(
            max(conf.pad_beg, conf.pad_end) <= 0,
            f"pad_beg and pad_end must be at most 0; got {conf.pad_beg} and {conf.pad_end}",
            hint="they leave out rows and columns",
        )
        for name in ("shrink_factor", "zoom_factor"):
            self.require(
                getattr(conf, name) >= 1, f"interp_param.{name} must be at least 1; got {getattr(conf, name)}"
            )
        self.require(
            any(map(conf.HasField, ("shrink_factor", "zoom_factor")))
            or (conf.HasField("height") and conf.HasField("width")),
            "interp_param does not say how large the top is",
            hint="set height and width, zoom_factor or shrink_factor",
        )

    def reshape(self, bottom, top):
        conf, shape = self.param.interp_param, bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        h, w = (extent + conf.pad_beg + conf.pad_end for extent in shape[2:])
        oh, ow = (size(conf, extent, name) for extent, name in ((h, "height"), (w, "width")))
        if min(h, w, oh, ow) < 1:
            raise ShapeError(f"nothing is left: {h} x {w} of bottom 0, {shape}, would become {oh} x {ow}")
        top[0].reshape(*shape[:2], oh, ow)
        first = -conf.pad_beg
        self.g = interp.Zoom(shape[0] * shape[1], *shape[2:], first, first, h, w, oh, ow)

    def forward(self, bottom, top):
        self.k.interp_forward(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.interp_backward(top[0].diff, bottom[0].diff, self.g)

    def forward_operations(self, bottom, top):
        return 4 * top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return 4 * top[0].count * propagate_down[0]


def size(conf: Message, extent: int, name: str) -> int:
    """How many rows or columns become of `extent`; name: the field that may say so."""
    shrink, zoom = conf.HasField("shrink_factor"), conf.HasField("zoom_factor")
    if (not shrink and not zoom) or (conf.HasField("height") and conf.HasField("width") and shrink and zoom):
        return getattr(conf, name)
    if shrink:
        extent = (extent - 1) // conf.shrink_factor + 1
    return extent + (extent - 1) * (conf.zoom_factor - 1) if zoom else extent
