"""What every pixel of images is of, by a trained net that makes a map of scores."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data import class_names
from ..errors import ConfigError, MiniCaffeError, ShapeError, locate, suggest
from ..net import Net
from ..proto.schema import Message
from . import palette
from .boxes import picture
from .viewer import Image, Viewer

ARG_MAX = "ArgMax"


@dataclass
class Segmentation:
    """What the pixels of one image are of.

    name        of the image: its path, - for the standard input, "" for an array
    classes     (H, W), bytes: the number of the class of every pixel of the image
    counts      how many pixels each class has
    size        height and width of the image
    decode_ms   reading, decoding, and making it the net's input; forward_ms: the net's share
    pixels      of the image, (C, H, W), blue first
    error       why nothing is known of the image; then nothing else is set
    """

    name: str
    classes: np.ndarray | None = field(default=None, repr=False)
    counts: list[int] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    decode_ms: float = 0.0
    forward_ms: float = 0.0
    pixels: np.ndarray | None = field(default=None, repr=False)
    error: str = ""


class Segmenter(Viewer):
    """A net with its weights, ready to say what every pixel of an image is of: the class of the highest
    score, of equal ones the first.  The map may be smaller than the image; every pixel takes the class of the
    place of the map that it lies in.

    blob      which output has the scores, (n, classes, h, w), or, of an ArgMax, the classes (n, 1, h, w); by
              default the only one of such a shape
    labels    a file with a line for each class, or a label map, or the labels; by default those that the
              training data has, or labels.txt beside that data, the weights or the net, or else the numbers
    colours   "voc", or a file of colours (palette.read)
    Everything else is as for Viewer.

    labels, palette   names and colours (n, 3) of the classes

    Raises also a MiniCaffeError for a net without such an output, and for labels or colours that do not fit.
    """

    def __init__(
        self,
        net: str | Path | Message,
        weights: str | Path | None,
        *,
        blob: str | None = None,
        labels: str | Path | Sequence[str] | None = None,
        colours: str | Path = palette.VOC,
        **options: Any,
    ) -> None:
        super().__init__(net, weights, **options)
        with locate(self.file or "the net"):
            self.see_whole()
            self.blob, self.chosen = _output(self.net, blob)
        if labels is None:
            labels = self.class_names() or class_names.beside(filter(None, (weights, self.file)))
        names = class_names.read(labels) if isinstance(labels, (str, os.PathLike)) else labels
        self.palette = palette.voc() if colours == palette.VOC else palette.read(colours)
        count = self.net.blobs[self.blob].shape[1]
        if self.chosen:  # how many classes there are, the net does not tell
            count = len(self.palette) if names is None else len(names)
        if count > len(self.palette):
            raise ConfigError(f"{count} classes, and {len(self.palette)} colours for them")
        self.labels = class_names.of(labels, count)

    def segment(self, image: Image) -> Segmentation:
        """What the pixels of one image are of: a path, - for the standard input, the bytes of a file, or an
        array (C, H, W) of bytes, blue first.  Raises DataError for what is no image."""
        start = time.perf_counter()
        pixels = self.pixels(image)
        fitted, _ = self.fitted(pixels)
        self.net.put_inputs({self.input: self.preparation(fitted[None])})
        prepared = time.perf_counter()
        scores = self.net.forward()[self.blob][0]
        found = Segmentation(_name(image), size=pixels.shape[1:], pixels=pixels)  # type: ignore[arg-type]
        found.classes = nearest(self._classes(scores), found.size)
        found.counts = np.bincount(found.classes.reshape(-1), minlength=len(self.labels)).tolist()
        found.decode_ms = 1000 * (prepared - start)
        found.forward_ms = 1000 * (time.perf_counter() - prepared)
        return found

    def segmentations(self, images: Iterable[Image]) -> Iterator[Segmentation]:
        """Of every image, in their order; `error` says why where nothing is known."""
        for image in images:
            try:
                yield self.segment(image)
            except MiniCaffeError as error:
                yield Segmentation(_name(image), error=str(error))

    def picture(self, found: Segmentation) -> bytes:
        """A PNG of a palette: the value of a pixel is the number of its class."""
        from PIL import Image

        image = Image.fromarray(_known(found.classes), "P")
        image.putpalette(self.palette.tobytes())
        return _png(image)

    def overlay(self, found: Segmentation) -> bytes:
        """A PNG of the image, every pixel half in the colour of its class."""
        from PIL import Image

        colours = np.zeros((palette.MOST, 3), np.uint16)
        colours[: len(self.palette)] = self.palette
        mixed = (picture(_known(found.pixels)) + colours[_known(found.classes)]) // 2
        return _png(Image.fromarray(mixed.astype(np.uint8)))

    def _classes(self, scores: np.ndarray) -> np.ndarray:
        """The class of every place of the map (classes, h, w)."""
        if not self.chosen:
            return scores.argmax(axis=0).astype(np.uint8)
        classes = scores[0]
        if not (0 <= classes.min() and classes.max() < len(self.labels)):
            raise ConfigError(
                f"blob {self.blob!r} has classes from {classes.min():g} to {classes.max():g}; there are"
                f" {len(self.labels)} labels"
            )
        return classes.astype(np.uint8)


def nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) at another size: every pixel has the value of the place that its middle lies in."""
    rows, columns = (
        (2 * np.arange(wanted) + 1) * there // (2 * wanted) for wanted, there in zip(size, values.shape)
    )
    return values[rows[:, None], columns]


def _output(net: Net, wanted: str | None) -> tuple[str, bool]:
    """The output with a map of scores, and whether it holds classes that an ArgMax chose."""
    made_by = {top: layer.type for layer in net.layers for top in layer.param.top}
    maps = {}
    for name in net.outputs:
        shape, chosen = net.blobs[name].shape, made_by.get(name) == ARG_MAX
        if len(shape) == 4 and (shape[1] > 1) != chosen and shape[2] * shape[3] > 1:
            maps[name] = chosen
    if wanted is not None:
        if wanted not in net.outputs:
            raise ConfigError(f"no output {wanted!r}", hint=suggest(wanted, net.outputs))
        if wanted not in maps:
            raise ShapeError(
                f"output {wanted!r} has the shape {net.blobs[wanted].shape}, no map of scores: expected"
                " (1, classes, h, w)"
            )
        return wanted, maps[wanted]
    if len(maps) == 1:
        return next(iter(maps.items()))
    shapes = ", ".join(f"{name} {net.blobs[name].shape}" for name in net.outputs) or "none"
    if not maps:
        raise ShapeError(
            f"no output is a map of scores, (1, classes, h, w): {shapes}",
            hint="minicaffe classify says what a whole image shows",
        )
    raise ConfigError(f"{len(maps)} outputs are maps of scores: {shapes}", hint="name one: --blob NAME")


def _name(image: Image) -> str:
    return "" if isinstance(image, (bytes, np.ndarray)) else os.fspath(image)


def _known(values: np.ndarray | None) -> np.ndarray:
    if values is None:
        raise ConfigError("of this image nothing is known")
    return values


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
