"""The base of Convolution and Deconvolution: their fields, shapes and geometry."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...core.workload import elements
from ...errors import ShapeError
from ...kernels import convolution
from ...proto.schema import enum_name
from .window import SPATIAL, convolved, deconvolved, in_three_axes
from .window_fields import fields_of_padding, read_padding, read_window


class Convolving(Layer):
    """Bottoms (n..., C, size...), all alike; tops (n..., num_output, out...); weights, and a bias per output.

    self.geometries holds, for each bottom and top, the convolution from the image side, which has padding and
    more pixels, to the other; a `transposed` layer goes the other way: its tops are the images.  A geometry
    knows the padding in front of the image; where windows end behind it follows from how many there are.
    """

    bottoms = tops = (1, None)
    matched = True
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    fork_fields = fields_of_padding("convolution_param")
    transposed = False

    def setup(self, bottom, top):
        conf = self.param.convolution_param
        self.axis = bottom[0].axis(conf.axis)
        spatial = len(bottom[0].shape) - self.axis - 1
        if spatial > SPATIAL:
            raise ShapeError(
                f"at most {SPATIAL} spatial axes behind axis {self.axis}; bottom 0 has {bottom[0].shape}"
            )
        self.window = read_padding(conf, read_window(conf, spatial))
        self.require(
            not (self.window.same and self.transposed),
            "pad_type: 1 is for convolutions, which it gives as many outputs as there are strides",
            hint="set pad_t, pad_b, pad_l and pad_r",
        )
        self.channels, self.groups, self.outputs = bottom[0].shape[self.axis], conf.group, conf.num_output
        self.require(self.outputs > 0, "convolution_param.num_output must be at least 1")
        self.require(self.groups > 0, "convolution_param.group must be at least 1")
        for what, count in (("input channels", self.channels), ("num_output", self.outputs)):
            self.require(
                count % self.groups == 0, f"{count} {what} cannot be divided into {self.groups} groups"
            )
        sides = (self.channels, self.outputs) if self.transposed else (self.outputs, self.channels)
        self.add_param((sides[0], sides[1] // self.groups, *self.window.kernel), conf.weight_filler)
        self.bias = self.add_param((self.outputs,), conf.bias_filler) if conf.bias_term else None
        self.k = self.device.convolutions(enum_name(conf, "engine"))
        if self.axis != 1:  # `step` is from one index of axis 0 to the next, not from one image
            self.apart = frozenset()

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        for i, blob in enumerate(bottom):
            if blob.shape != shape:
                raise ShapeError(
                    f"all bottoms must have one shape; bottom 0 has {shape}, bottom {i} {blob.shape}"
                )
        if len(shape) - self.axis - 1 != len(self.window.kernel) or shape[self.axis] != self.channels:
            raise ShapeError(
                f"bottom 0 of shape {shape} does not fit weights of shape {self.params[0].shape}"
            )
        size = shape[self.axis + 1 :]
        self.window = self.window.over(size)
        extent = deconvolved if self.transposed else convolved
        out = tuple(extent(n, *axis) for n, axis in zip(size, self.window.axes))
        for blob in top:
            blob.reshape(*shape[: self.axis], self.outputs, *out)
        n = bottom[0].count_over(0, self.axis)
        image, other = (self.channels, size), (self.outputs, out)
        if self.transposed:
            image, other = other, image
        self.g = convolution.contiguous(
            n,
            self.groups,
            image[0] // self.groups,
            other[0] // self.groups,
            int(self.bias is not None and not self.transposed),
            *in_three_axes(image[1], other[1], self.window),
        )
        self.arrange(bottom, top)

    def arrange(self, bottom, top):
        images, others = (top, bottom) if self.transposed else (bottom, top)
        self.geometries = [
            self.g._replace(x_step=x.step or self.g.x_step, y_step=y.step or self.g.y_step)
            for x, y in zip(images, others)
        ]

    def forward_operations(self, bottom, top):
        return sum(self._products(bottom, top))

    def backward_operations(self, bottom, top, propagate_down, params):
        """A gradient by a bottom or by the weights takes as many as forward; one by the bias sums dy."""
        products = self._products(bottom, top)
        by_bottoms = sum(count for count, wanted in zip(products, propagate_down) if wanted)
        return by_bottoms + sum(products) * params[0] + elements(top) * any(params[1:])

    def read_by_backward(self, bottom, top, propagate_down, params):
        """x for the gradient by the weights, the weights for those by x."""
        return elements(bottom) * params[0] + self.params[0].count * any(propagate_down)

    def _products(self, bottom, top) -> list[int]:
        """Of each bottom: the pixels that are no image's, times the weights that each of them meets."""
        taps = math.prod(self.params[0].shape[1:])
        return [taps * blob.count for blob in (bottom if self.transposed else top)]
