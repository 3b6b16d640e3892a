"""The base of layers that pool regions of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError, ShapeError
from ...kernels import regions
from ...proto.schema import Message

REGION = 5  # numbers: image, x1, y1, x2, y2


class RegionPooling(Layer):
    """Bottom 0 are images, bottom 1 regions of them, which have no gradient of their own: moved a little, a
    region has the same pixels."""

    bottoms = 2
    kernels = regions
    backward_reads = frozenset()
    g: regions.Regions

    def setup(self, bottom, top):
        self.missing = Noted(self.device)

    def take_regions(self, bottom, cells: tuple[int, int], scale: float, whole: bool) -> None:
        """In reshape: the geometry of pooling to cells (rows, columns); scale and whole as region_spans
        takes them."""
        x, rois = bottom[0].shape, bottom[1]
        if len(x) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {x}")
        if not rois.shape or rois.count != REGION * rois.shape[0]:
            raise ShapeError(
                f"bottom 1 must hold regions of {REGION} numbers; got {rois.shape}",
                hint="they are the number of the image, x1, y1, x2 and y2",
            )
        self.rois = rois.shape
        n, c, h, w = x
        self.g = regions.Regions(rois.shape[0], n, c, h, w, *cells)
        self.scale, self.whole = scale, int(whole)
        self.spans = self.saved((self.g.count, self.g.span), np.int32)

    def find_cells(self, rois: Any) -> None:
        """What comes first in forward: where the cells of each region lie."""
        self.k.region_spans(
            rois, self.spans.data, self.missing.position, self.missing.value, self.g, self.scale, self.whole
        )

    def backward(self, top, propagate_down, bottom):
        if propagate_down[1]:
            self.device.fill(bottom[1].diff, 0)
        if propagate_down[0]:
            self.pass_down(top[0].diff, bottom[0].diff)

    def pass_down(self, dy: Any, dx: Any) -> None:
        """Write dx."""
        raise NotImplementedError

    def verify(self):
        missing = self.missing.take(self.rois)
        if missing is None:
            return
        value, place = missing
        last = self.g.images - 1
        if place[1:2] in ([0], []):
            raise DataError(
                f"region with image {value:.9g} at {place} of bottom 1: bottom 0 has the images 0 to {last}",
                hint="images are counted from 0 in every batch: look at what fills bottom 1",
            )
        raise DataError(
            f"{value:.9g} at {place} of bottom 1 is no corner of a region",
            hint="corners are numbers, in pixels of the image: look at what fills bottom 1",
        )


def positive(layer: Layer, conf: Message, *names: str) -> list[Any]:
    """The fields of these names; ConfigError for one that is not above 0."""
    for name in names:
        value = getattr(conf, name)
        layer.require(value > 0, f"{name} must be set and greater than 0; got {value:g}")
    return [getattr(conf, name) for name in names]
