"""PriorBox: the boxes that a detector starts from, at every position of a feature map."""

from __future__ import annotations

import math

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ..foreign import refuse_others

READ = frozenset(
    """min_size max_size aspect_ratio flip clip variance img_size img_h img_w step step_h step_w
    offset""".split()
)
SAME = 1e-6  # aspect ratios that are closer count as one


class PriorBox(Layer):
    """y[0, 0] = xmin, ymin, xmax, ymax of every box, as shares of the image; y[0, 1] = their variances.

    Boxes have their centre at ((column + offset) * step, (row + offset) * step).  At each position come, for
    each min_size m: a square of side m; if there is a max_size M, one of side sqrt(m * M); and for every
    aspect ratio r but 1 a box of m * sqrt(r) by m / sqrt(r).

    Param     prior_box_param: min_size (one or more), cut to whole pixels as in the forks; max_size (none, or
              one for each), likewise; aspect_ratio (none; 1 is always there); flip (true), 1 / r with each;
              clip (false), to the image; variance (0.1), one, or one for each coordinate; img_size, or img_h
              and img_w (those of bottom 1); step, or step_h and step_w (image over map); offset (0.5).
    Shapes    bottom[0]: a feature map (n, channels, h, w); bottom[1]: the image (n, channels, h, w); top[0]:
              (1, 2, h * w * boxes * 4).  Only shapes of bottoms count.
    Backward  nothing: the boxes are constants.
    Source    the PriorBox layer of the SSD fork; Liu et al. 2016.
    Differs   faceboxes, reduce_boxes, box_width and what else only some forks have is refused.
    """

    type = "PriorBox"
    bottoms = 2
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        refuse_others(self, "prior_box_param", READ)
        conf = self.conf = self.param.prior_box_param
        small, large, variance = list(conf.min_size), list(conf.max_size), list(conf.variance) or [0.1]
        self.require(
            small and min(small) > 0, f"prior_box_param.min_size must be there and above 0; got {small}"
        )
        self.require(
            not large or (len(large) == len(small) and all(b > a for a, b in zip(small, large))),
            f"prior_box_param.max_size must be greater than min_size, one for each; got {large} for {small}",
        )
        self.require(
            len(variance) in (1, 4) and min(variance) > 0,
            f"prior_box_param.variance must be 1 or 4 numbers above 0; got {variance}",
        )
        ratios = [1.0]
        for given in conf.aspect_ratio:
            self.require(given > 0, f"prior_box_param.aspect_ratio must be above 0; got {given:g}")
            if all(abs(given - ratio) >= SAME for ratio in ratios):
                ratios += [given, 1 / given] if conf.flip else [given]
        self.sizes = np.array(list(self._sizes([int(m) for m in small], [int(m) for m in large], ratios)))
        self.variance = np.resize(np.array(variance), 4)
        self.image = self._pair("img_size", "img_h", "img_w")
        self.steps = self._pair("step", "step_h", "step_w")
        self.made_for, self.boxes = None, None

    def _sizes(self, small, large, ratios):
        """Widths and heights of the boxes at a position, in pixels."""
        for i, m in enumerate(small):
            yield m, m
            if large:
                yield (math.sqrt(m * large[i]),) * 2
            for root in map(math.sqrt, ratios[1:]):
                yield m * root, m / root

    def _pair(self, both: str, *each: str) -> list[float] | None:
        """Height and width as the fields give them, or None."""
        given = [name for name in (both, *each) if self.conf.HasField(name)]
        self.require(
            given in ([], [both], [*each]),
            f"prior_box_param must have {both}, or {each[0]} and {each[1]}; got {', '.join(given)}",
        )
        values = [getattr(self.conf, name) for name in given]
        self.require(all(v > 0 for v in values), f"prior_box_param.{both} must be above 0; got {values}")
        return (values * 2)[:2] if values else None

    def reshape(self, bottom, top):
        for i, blob in enumerate(bottom):
            if len(blob.shape) != 4:
                raise ShapeError(f"bottom {i} must have 4 axes (n, channels, h, w); got {blob.shape}")
        shapes = bottom[0].shape[2:], bottom[1].shape[2:]
        top[0].reshape(1, 2, math.prod(shapes[0]) * len(self.sizes) * 4)
        if self.allocate and shapes != self.made_for:
            values = self._values(*shapes)
            self.made_for, self.boxes = shapes, self.device.empty(values.shape)
            self.device.put(values, self.boxes)

    def _values(self, map_shape, image_shape) -> np.ndarray:
        extents = np.array(self.image or image_shape, float)
        steps = self.steps or extents / map_shape
        rows, columns = ((np.arange(map_shape[i]) + self.conf.offset) * steps[i] for i in (0, 1))
        centres = np.stack(np.meshgrid(columns, rows), axis=-1)[:, :, None]  # (h, w, 1, 2)
        corners = np.concatenate([centres - self.sizes / 2, centres + self.sizes / 2], axis=-1)
        boxes = corners / np.tile(extents[::-1], 2)  # (h, w, boxes, 4)
        if self.conf.clip:
            boxes = boxes.clip(0, 1)
        variances = np.broadcast_to(self.variance, boxes.shape)
        return np.stack([boxes, variances]).reshape(1, 2, -1)

    def forward(self, bottom, top):
        self.device.copy(self.boxes, top[0].data)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def read_by_forward(self, bottom, top):
        return top[0].count
