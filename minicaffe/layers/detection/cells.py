"""The base of layers that read what a net of YOLO says about the cells of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import yolo


class Said(NamedTuple):
    """About one image, for every anchor of every cell: boxes (n, 4), centre, width and height as shares of
    the image; how sure it is that there is an object (n); and of the classes (n, classes)."""

    boxes: np.ndarray
    objects: np.ndarray
    scores: np.ndarray


class CellReader(Layer):
    """Bottoms are maps (n, anchors * (5 + classes), h, w).  What is found depends on values: chosen on the
    host.

    A subclass calls `take` in reshape, and `said` in forward.
    """

    kernels = yolo
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    capturable = False
    operations = (2, 0, 0)

    def take(self, maps: Sequence, sizes: Sequence[np.ndarray], classes: int, softmax: bool) -> None:
        """In reshape: the maps, and of each the sizes of the anchors in cells."""
        self.maps: list[tuple[yolo.Cells, Any, list]] = []
        for i, (blob, anchors) in enumerate(zip(maps, sizes)):
            shape, channels = blob.shape, len(anchors) * (5 + classes)
            if len(shape) != 4 or shape[1] != channels or shape[0] != maps[0].shape[0]:
                raise ShapeError(
                    f"bottom {i} must be ({maps[0].shape[0]}, {channels}, h, w), for {len(anchors)} anchors"
                    f" and {classes} classes; got {shape}"
                )
            n, _, h, w = shape
            g = yolo.Cells(n, len(anchors), classes, h, w, int(softmax))
            shares = self.device.empty(anchors.shape)
            self.device.put((anchors / [w, h]).astype(self.device.dtype), shares)
            room = [self.saved((n, g.boxes, *last)) for last in ((4,), (), (classes,))]
            self.maps.append((g, shares, room))

    def said(self, maps: Sequence) -> list[Said]:
        """What the maps say of each image, map after map."""
        parts = []
        for blob, (g, shares, room) in zip(maps, self.maps):
            arrays = [buffer.data for buffer in room]
            self.k.decode_cells(blob.data, shares, *arrays, g)
            parts.append([self.device.get(array) for array in arrays])
        return [Said(*image) for image in zip(*(np.concatenate(kind, axis=1) for kind in zip(*parts)))]

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down


def anchor_sizes(layer: Layer, name: str, biases: Sequence[float], count: int) -> np.ndarray:
    """Widths and heights (count, 2) of the first anchors; ConfigError if there are fewer."""
    layer.require(
        len(biases) >= 2 * count,
        f"{name}.biases must have two numbers, width and height, for each of {count} anchors;"
        f" got {len(biases)}",
    )
    return np.array(biases[: 2 * count], float).reshape(count, 2)


def shares(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(boxes, others): what two boxes (centre, width, height) have in common over what they cover."""
    low = np.maximum((boxes[:, :2] - boxes[:, 2:] / 2)[:, None], others[:, :2] - others[:, 2:] / 2)
    high = np.minimum((boxes[:, :2] + boxes[:, 2:] / 2)[:, None], others[:, :2] + others[:, 2:] / 2)
    common = np.maximum(high - low, 0).prod(axis=2)
    areas = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)
    return common / np.maximum(areas - common, np.finfo(common.dtype).tiny)


def apart(boxes: np.ndarray, order: np.ndarray, limit: float) -> np.ndarray:
    """Of the boxes in this order those that share less than `limit` with every one that is kept before."""
    kept = []
    while len(order):
        kept.append(order[0])
        order = order[1:][shares(boxes[order[:1]], boxes[order[1:]])[0] < limit]
    return np.array(kept, int)


def rows_of(image: int, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """As DetectionOutput writes them: image, class (0 is ground), score, xmin, ymin, xmax, ymax."""
    half = boxes[:, 2:] / 2
    corners = boxes[:, :2] - half, boxes[:, :2] + half
    return np.concatenate(
        [np.full((len(boxes), 1), image), classes[:, None] + 1, scores[:, None], *corners], 1
    )


class Detections(CellReader):
    """Writes such rows, those of the first image first, and those with high scores first."""

    settles = True

    def reshape(self, bottom, top):
        top[0].reshape(1, 1, bottom[0].shape[0], 7)  # until forward knows

    def write(self, rows: Sequence[np.ndarray], top) -> None:
        """The rows of each image; if there are none: a row for each image, -1 but for its number."""
        found = np.concatenate(rows)
        if not len(found):
            found = np.full((len(rows), 7), -1.0)
            found[:, 0] = np.arange(len(rows))
        shape = (1, 1, *found.shape)
        if top[0].shape != shape:
            top[0].reshape(*shape)
            self.settle()
        self.device.put(found.astype(self.device.dtype).reshape(shape), top[0].data)
