"""Tile: a blob repeated along an axis."""

from __future__ import annotations

from ...core.layer import Layer
from ...kernels import shape as kernels


class Tile(Layer):
    """y = x, `tiles` times one behind the other along an axis.

    Param     tile_param: axis (1; negative counts from the end), tiles (must be given, 1 or more).
    Shapes    bottom[0]: any; top[0]: the same with the extent of the axis times `tiles`.  With one tile data
              and diff are shared.
    Backward  dx = the sum of dy over the copies; reads nothing.
    Source    Caffe's Tile layer.
    """

    type = "Tile"
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.tiles = self.param.tile_param.tiles
        self.require(
            self.tiles >= 1,
            f"tile_param.tiles must be at least 1; got {self.tiles}"
            if self.param.tile_param.HasField("tiles")
            else "tile_param.tiles is missing",
            "tiles: 2 repeats the blob once",
        )

    def reshape(self, bottom, top):
        x, axis = bottom[0], bottom[0].axis(self.param.tile_param.axis)
        top[0].reshape(*x.shape[:axis], x.shape[axis] * self.tiles, *x.shape[axis + 1 :])
        self.g = kernels.Repeats(x.count_over(0, axis), x.count_over(axis), self.tiles)
        if self.tiles == 1:
            top[0].share_data(x)
            top[0].share_diff(x)

    def forward(self, bottom, top):
        if self.tiles > 1:
            self.k.repeat_rows(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0] and self.tiles > 1:
            self.k.sum_repeats(top[0].diff, bottom[0].diff, self.g)

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0]
