"""What images show and where, by a trained net: classes, scores and boxes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import class_names
from ..errors import ConfigError, MiniCaffeError, locate
from ..proto import upgrade
from ..proto.schema import Message
from .heads import BOX, INFO, LABEL, SCORE, SIDES_PX, Classes, has_regions, head
from .viewer import Image, Viewer

BACKGROUND = "background"


class Thing(NamedTuple):
    """A thing in an image: its class by number and label, its score, and its box, xmin, ymin, xmax, ymax, in
    pixels of the image from the left and the top."""

    number: int
    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass
class Sight:
    """What is seen in one image.

    name        of the image: its path, - for the standard input, "" for an array
    things      the highest scores first
    size        height and width of the image
    decode_ms   reading, decoding, and making it the net's input; forward_ms: the net's share
    pixels      of the image, (C, H, W), blue first
    error       why nothing is known of the image; then nothing else is set
    """

    name: str
    things: list[Thing] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    decode_ms: float = 0.0
    forward_ms: float = 0.0
    pixels: np.ndarray | None = field(default=None, repr=False)
    error: str = ""


class Detector(Viewer):
    """A net with its weights, ready to say what images show, and where.

    net        one that ends in a DetectionOutput, as SSD's, or in one of YOLO's layers, or one that has the
               blobs rois, cls_prob and bbox_pred, as those of Faster R-CNN and R-FCN (heads.Regions)
    labels     a file with a line for each class, or an SSD's label map, or the labels; the background may be
               left out.  By default those that the training data has, or labels.txt beside that data, the
               weights or the net, or else the numbers of the classes
    threshold  of scores, from which on a thing is named; what the net itself drops is not found with less
    sides_px   of R-CNN: what the shorter side of images becomes, and the most that the longer may
    Everything else is as for Viewer.

    classes   how many there are, with the background; labels: their names

    Raises also a MiniCaffeError for a net that detects nothing, and for labels that are not as many.
    """

    beside = frozenset({INFO})

    def __init__(
        self,
        net: str | Path | Message,
        weights: str | Path | None,
        *,
        labels: str | Path | Sequence[str] | None = None,
        threshold: float = 0.5,
        sides_px: tuple[int, int] = SIDES_PX,
        **options: Any,
    ) -> None:
        if min(sides_px) < 1:
            raise ConfigError(f"sides must have at least a pixel; got {sides_px[0]} and {sides_px[1]}")
        param: Message = net if isinstance(net, Message) else upgrade.read_net(net)
        keep = "all" if has_regions(param.layer) else "needed"
        super().__init__(net, weights, keep=keep, **options)
        self.threshold = threshold
        with locate(self.file or "the net"):
            self.head = head(self, sides_px)
        self.classes = self.head.classes.total
        if labels is None:
            labels = self.class_names() or class_names.beside(filter(None, (weights, self.file)))
        self.labels = _labels(labels, self.head.classes)

    def detect(self, image: Image) -> Sight:
        """What one image shows: a path, - for the standard input, the bytes of a file, or an array (C, H, W)
        of bytes, blue first.  Raises DataError for what is no image."""
        start = time.perf_counter()
        pixels = self.pixels(image)
        sight = Sight("" if isinstance(image, (bytes, np.ndarray)) else os.fspath(image), pixels=pixels)
        sight.size = (pixels.shape[1], pixels.shape[2])
        self.net.put_inputs(self.head.prepare(pixels))
        prepared = time.perf_counter()
        rows = self.head.find(sight.size, self.threshold)
        sight.decode_ms = 1000 * (prepared - start)
        sight.forward_ms = 1000 * (time.perf_counter() - prepared)
        sight.things = [self._thing(row, sight.size) for row in rows]
        return sight

    def sights(self, images: Iterable[Image]) -> Iterator[Sight]:
        """What every image shows, in their order; `error` says why where nothing is known."""
        for image in images:
            try:
                yield self.detect(image)
            except MiniCaffeError as error:
                name = "" if isinstance(image, (bytes, np.ndarray)) else os.fspath(image)
                yield Sight(name, error=str(error))

    def _thing(self, row: np.ndarray, size: tuple[int, int]) -> Thing:
        number = int(row[LABEL])
        ends = np.nan_to_num(row[BOX]).clip(0, np.tile(size[::-1], 2))
        return Thing(number, self.labels[number], float(row[SCORE]), tuple(ends.tolist()))  # type: ignore[arg-type]


def _labels(given: str | Path | Sequence[str] | None, classes: Classes) -> list[str]:
    """The names of all classes; the background's may be missing."""
    names = class_names.read(given) if isinstance(given, (str, os.PathLike)) else given
    count, background = classes
    if names is not None and len(names) == count - 1 and 0 <= background < count:
        return [*names[:background], BACKGROUND, *names[background:]]
    return class_names.of(given, count)
