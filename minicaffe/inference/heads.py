"""How detectors say what they found: rows of boxes (SSD, YOLO), or moved regions (R-CNN)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..data.resize import Resize
from ..errors import ConfigError, ShapeError
from ..layers.rcnn.geometry import moved, overlaps
from ..proto.schema import Message
from .preparation import Preparation
from .viewer import Viewer

LABEL, SCORE, BOX = 0, 1, slice(2, 6)  # columns of what heads find: class, score, xmin, ymin, xmax, ymax
# Layers whose top has rows of image, class, score and box, and the field that counts the classes.
ROWS = {
    "DetectionOutput": "detection_output_param",
    "YoloDetectionOutput": "yolo_detection_output_param",
    "Yolov3DetectionOutput": "yolov3_detection_output_param",
}
REGIONS = ("rois", "cls_prob", "bbox_pred")  # what py-faster-rcnn and those after it call these blobs
INFO = "im_info"
SIDES_PX = (600, 1000)  # of images in R-CNN: what the shorter side becomes, and the most of the longer
OVERLAP = 0.3  # of two boxes of one class in R-CNN: of more the one with the lower score goes


class Classes(NamedTuple):
    """How many classes a head knows, and which stands for nothing; -1 if none does."""

    total: int
    background: int


def has_regions(layers: Iterable[Message]) -> bool:
    """Whether a net ends in regions: their blobs are read in the middle of it."""
    layers = list(layers)
    made = {top for layer in layers for top in layer.top}
    return made.issuperset(REGIONS) and all(layer.type not in ROWS for layer in layers)


def head(viewer: Viewer, sides_px: tuple[int, int] = SIDES_PX) -> SingleShot | Regions:
    """The head of a net; ConfigError if it has none."""
    rows = [layer for layer in viewer.net.layers if layer.type in ROWS]
    rows = [layer for layer in rows if layer.param.top[0] in viewer.net.outputs]
    if len(rows) == 1:
        return SingleShot(viewer, rows[0].param)
    if rows:
        named = ", ".join(layer.name for layer in rows)
        raise ConfigError(f"{len(rows)} layers give detections ({named}); expected one")
    if viewer.net.blobs.keys() >= set(REGIONS):
        return Regions(viewer, sides_px)
    raise ConfigError(
        f"the net detects nothing: it has no output of a layer {', '.join(ROWS)}, and not the blobs"
        f" {', '.join(REGIONS)} of R-CNN",
        hint="minicaffe classify says what a whole image shows, segment what its pixels do",
    )


class SingleShot:
    """A net whose last layer is a DetectionOutput, as SSD's, or one of YOLO's: boxes are shares of the image.
    YOLO's classes are counted from 1, as if there were one for the background."""

    def __init__(self, viewer: Viewer, layer: Message) -> None:
        self.viewer, self.top = viewer, layer.top[0]
        conf = getattr(layer, ROWS[layer.type])
        grounded = layer.type == "DetectionOutput"
        self.classes = (
            Classes(conf.num_classes, conf.background_label_id)
            if grounded
            else Classes(conf.num_classes + 1, 0)
        )
        viewer.see_whole()
        if viewer.net.inputs != [viewer.input]:
            raise ConfigError(
                f"the net has the inputs {', '.join(viewer.net.inputs)}; expected an image alone"
            )

    def prepare(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs of the net for an image."""
        fitted, _ = self.viewer.fitted(pixels)
        return {self.viewer.input: self.viewer.preparation(fitted[None])}

    def find(self, size: tuple[int, int], least: float) -> np.ndarray:
        """What is found, in pixels of an image of this size, with scores of `least` at least, the highest
        first."""
        rows = np.asarray(self.viewer.net.forward()[self.top], np.float64).reshape(-1, 7)[:, 1:]
        height, width = size
        rows[:, BOX] *= (width, height, width, height)
        return _sorted(rows[(rows[:, LABEL] >= 0) & (rows[:, SCORE] >= least) & np.isfinite(rows[:, SCORE])])


class Regions:
    """A net of Faster R-CNN or R-FCN: regions, how likely each is of which class, and how each is moved for
    it.

    The image is brought to a shorter side of sides_px[0] pixels, unless the longer one had more than
    sides_px[1] then; im_info tells the net height, width and scale.  A region moves by its deltas, in its
    own width and height, and is cut to the image; of a class's boxes that overlap the best stays.

    Raises ConfigError or ShapeError for a net with other inputs, or blobs that do not fit each other.

    Source: S. Ren, K. He, R. Girshick, J. Sun, "Faster R-CNN", 2015, and their program: a box of one pixel
    has sides of 1, although its ends are the same.
    """

    def __init__(self, viewer: Viewer, sides_px: tuple[int, int]) -> None:
        self.viewer, self.net, self.sides_px = viewer, viewer.net, sides_px
        if set(self.net.inputs) != {viewer.input, INFO}:
            named = ", ".join(self.net.inputs)
            raise ConfigError(f"the net has the inputs {named}; expected an image, and {INFO} beside it")
        self.values = self.net.blobs[INFO].count
        if self.values not in (3, 4):
            raise ShapeError(
                f"input {INFO!r} has {self.values} values; expected height, width, and one scale or two"
            )
        self.classes = Classes(self.net.blobs[REGIONS[1]].count // self.net.blobs[REGIONS[1]].shape[0], 0)
        self._scale = 1.0

    def prepare(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        channels, *size = pixels.shape
        shorter, most = self.sides_px
        self._scale = min(shorter / min(size), most / max(size))
        height, width = (max(1, round(side * self._scale)) for side in size)
        fitted = np.empty((channels, height, width), np.uint8)
        Resize(height, width)(pixels, fitted)
        before = self.viewer.preparation
        prepared = Preparation(
            self.viewer.transform, fitted.shape, size=(height, width), raw_scale=before.raw_scale
        )
        info = [height, width, self._scale, self._scale][: self.values]
        return {self.viewer.input: prepared(fitted[None]), INFO: np.array([info], np.float32)}

    def find(self, size: tuple[int, int], least: float) -> np.ndarray:
        self.net.forward()
        regions, scores, deltas = (self._values(name) for name in REGIONS)
        count, classes = scores.shape
        if len(regions) != count or len(deltas) != count or regions.shape[1] != 5:
            shapes = ", ".join(f"{name} {self.net.blobs[name].shape}" for name in REGIONS)
            raise ShapeError(f"regions, scores and deltas do not fit each other: {shapes}")
        if deltas.shape[1] == 8:  # one box for all classes, behind that of the background
            deltas = np.tile(deltas[:, 4:], classes)
        if deltas.shape[1] != 4 * classes:
            raise ShapeError(
                f"blob {REGIONS[2]!r} has {deltas.shape[1]} deltas a region; expected {4 * classes}, 4 for"
                f" each of {classes} classes, or 8"
            )
        found = [np.empty((0, 6))]
        for label in range(1, classes):
            chosen = np.flatnonzero(scores[:, label] >= least)
            boxes = moved(regions[chosen, 1:] / self._scale, deltas[chosen, 4 * label : 4 * label + 4])
            boxes = boxes.clip(0, np.tile((size[1] - 1, size[0] - 1), 2))
            rows = np.column_stack([np.full(len(chosen), label), scores[chosen, label], boxes])
            found.append(_apart(_sorted(rows)))
        return _sorted(np.concatenate(found))

    def _values(self, name: str) -> np.ndarray:
        values = np.asarray(self.net.device.get(self.net.blobs[name].data), np.float64)
        return values.reshape(len(values), -1)


def _sorted(rows: np.ndarray) -> np.ndarray:
    """The highest scores first, of equal ones the first."""
    return rows[np.argsort(-rows[:, SCORE], kind="stable")]


def _apart(rows: np.ndarray) -> np.ndarray:
    """The rows, which are sorted, without those that overlap one before by more than OVERLAP."""
    kept = []
    left = rows
    while len(left):
        best, left = left[:1], left[1:]
        kept.append(best)
        left = left[overlaps(best[:, BOX], left[:, BOX])[0] <= OVERLAP]
    return np.concatenate(kept or [rows])
