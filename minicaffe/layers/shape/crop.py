"""Crop: the part of a blob that has the shape of another."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels

MOST_AXES = 5  # of a kernels.Box


class Crop(Layer):
    """y = x from `offset` on, as far as bottom 1 reaches, along every axis from `axis` on.

    Param     crop_param: axis (2; negative counts from the end), the first to be cropped; offset: none (0),
              one for every cropped axis, or one for each.
    Shapes    bottom[0]: x; bottom[1]: any values, of as many axes as x; top[0]: the axes of x before `axis`,
              those of bottom 1 from there on.
    Backward  dx = dy inside the part, 0 outside; bottom 1's gradient is 0: only its shape counts.  Reads
              nothing.
    Source    Caffe's Crop layer.
    Differs   bottom 1's diff is set to 0, where Caffe leaves in it what was there.  Bottoms of different
              numbers of axes are refused; Caffe overlooks further axes of bottom 1.
    Raises    ShapeError where bottom 0 ends before the part does.
    """

    type = "Crop"
    bottoms = 2
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        conf, shape, like = self.param.crop_param, bottom[0].shape, bottom[1].shape
        axis = bottom[0].axis(conf.axis)
        if len(like) != len(shape):
            raise ShapeError(f"bottom 1 must have the {len(shape)} axes of bottom 0, {shape}; got {like}")
        cropped, given = len(shape) - axis, list(conf.offset)
        self.require(
            len(given) in (0, 1, cropped),
            f"offset must have 1 value or {cropped}, one for each axis from {axis} on; got {len(given)}",
        )
        offsets = [0] * axis + (given if len(given) == cropped else (given or [0]) * cropped)
        out = (*shape[:axis], *like[axis:])
        for i, (extent, size, offset) in enumerate(zip(shape, out, offsets)):
            if offset + size > extent:
                raise ShapeError(
                    f"{size} from offset {offset} on do not fit axis {i} of bottom 0, {shape}; bottom 1 is"
                    f" {like}"
                )
        top[0].reshape(*out)
        self.g = box(shape, out, offsets)

    def forward(self, bottom, top):
        self.k.take_box(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)
        if propagate_down[0]:
            self.k.put_box(top[0].diff, bottom[0].diff, self.g)

    def read_by_forward(self, bottom, top):
        return top[0].count


def box(shape, out, offsets) -> kernels.Box:
    """The part of extents `out` at `offsets` in an array of `shape`, in as few axes as can be.

    Raises ShapeError if that are more than MOST_AXES.
    """
    axes: list[tuple[int, int, int]] = []  # (extent in the array, in the part, offset), the last axis first
    for extent, size, offset in reversed(list(zip(shape, out, offsets))):
        if axes and axes[-1][0] == axes[-1][1]:  # the axis behind is whole: one longer axis does for both
            inner = axes.pop()[0]
            extent, size, offset = extent * inner, size * inner, offset * inner
        axes.append((extent, size, offset))
    if len(axes) > MOST_AXES:
        raise ShapeError(
            f"{shape} to {out} crops too many axes", hint=f"crop at most {MOST_AXES - 1} of them at once"
        )
    axes += [(1, 1, 0)] * (MOST_AXES - len(axes))
    start, step, steps = 0, 1, []
    for extent, _, offset in axes:
        start += offset * step
        steps.append(step)
        step *= extent
    geometry = [*[size for _, size, _ in reversed(axes)], start, *reversed(steps[1:])]
    return kernels.Box(*geometry)
