"""What images show, by a trained net: classes and how certain they are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import class_names
from ..errors import ConfigError, MiniCaffeError, ShapeError, locate, suggest
from ..net import Net
from ..proto.schema import Message
from .preparation import PARTS
from .viewer import Image, Viewer

NO_MATTER_S = 0.5  # a pass that takes longer is not run once more for its time
KINDS = {"Softmax": "probability", "Sigmoid": "probability of each class by itself"}


class Class(NamedTuple):
    """A class of an answer: its number, its label, and its certainty, or score."""

    number: int
    label: str
    value: float


@dataclass
class Answer:
    """What one image shows.

    name        of the image: its path, - for the standard input, "" for an array
    classes     the likeliest first
    inverted    light and dark changed places
    size        height and width of the image as it came
    decode_ms   reading, decoding, and making it the net's input
    forward_ms  the net's share: that of its batch, divided by the images in it
    error       why there is no answer; then nothing else is set
    """

    name: str
    classes: list[Class] = field(default_factory=list)
    inverted: bool = False
    size: tuple[int, int] = (0, 0)
    decode_ms: float = 0.0
    forward_ms: float = 0.0
    error: str = ""


class Classifier(Viewer):
    """A net with its weights, ready to say what images show.

    labels    a file with a line for each class, or the labels; by default those that the training data has,
              or labels.txt beside that data, the weights or the net, or else the numbers of the classes
    output    which output has the classes, if there are several
    batch     images, or parts of them, that go through the net at once
    Everything else is as for Viewer; with `oversample` an answer is the mean over the ten parts.

    classes   how many there are; labels: their names
    kind      "probability", "probability of each class by itself" (sigmoids), or "score" for a net that ends
              in neither a Softmax nor a Sigmoid

    Raises also a MiniCaffeError for a net whose output has no classes, and for labels that are not as many.
    """

    def __init__(
        self,
        net: str | Path | Message,
        weights: str | Path | None,
        *,
        labels: str | Path | Sequence[str] | None = None,
        output: str | None = None,
        batch: int = 64,
        **options: Any,
    ) -> None:
        if batch < 1:
            raise ConfigError(f"batch must be at least 1; got {batch}")
        self.batch = batch
        super().__init__(net, weights, **options)
        with locate(self.file or "the net"):
            self.output = _output(self.net, output)
            self.classes = _classes(self.net, self.output)
        maker = next(layer for layer in reversed(self.net.layers) if self.output in layer.param.top)
        self.kind = KINDS.get(maker.type, "score")
        if labels is None:
            labels = self.class_names() or class_names.beside(filter(None, (weights, self.file)))
        self.labels = class_names.of(labels, self.classes)
        self._ran: set[int] = set()  # the sizes of batches that were run
        self._image_s = 0.0

    def probabilities(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """What the net says of images (N, C, H, W): (N, classes), float32; certainties, if `kind` is not
        "score".

        images   bytes or floats, 0 black and 255 white, of the height and width of `preparation.size`, blue
                 first; they are neither inverted nor resized.  N may be any number, 0 too

        Raises ShapeError for another shape.
        """
        step = max(1, self.batch // PARTS) if self.preparation.oversample else self.batch
        found = [np.empty((0, self.classes), np.float32)]
        for start in range(0, len(images), step):
            chunk = images[start : start + step]
            self.net.put_inputs({self.input: self.preparation(chunk)})
            scores = self.net.forward()[self.output]
            scores = np.asarray(scores, np.float32).reshape(len(chunk), -1, self.classes)
            found.append(scores.mean(axis=1))
        return np.concatenate(found)

    def classify(self, image: Image, *, top: int = 5) -> Answer:
        """What one image shows: a path, - for the standard input, the bytes of a file, or an array (C, H, W)
        of bytes, blue first.  Raises DataError for what is no image."""
        self._warm_up()
        prepared, answer = self._prepared(image)
        return self._answered([prepared], [answer], top)[0]

    def answers(self, images: Iterable[Image], *, top: int = 5) -> Iterator[Answer]:
        """An answer for every image, in their order; `error` says why where there is none."""
        self._warm_up()
        waiting: list[Answer] = []
        prepared: list[np.ndarray] = []
        for image in images:
            try:
                fitted, answer = self._prepared(image)
                prepared.append(fitted)
            except MiniCaffeError as error:
                answer = Answer(_name(image), error=str(error))
            waiting.append(answer)
            if len(prepared) == self.batch:
                yield from self._answered(prepared, waiting, top)
                waiting, prepared = [], []
        yield from self._answered(prepared, waiting, top)

    def _warm_up(self, images: int = 1) -> None:
        """Do once what is done once, so that the times of images are those of images: import and look at the
        training data, and run a batch of a size that is new, unless a pass takes so long that it does not
        matter."""
        if not self._ran:
            from PIL import Image

            Image.preinit()
            if self.invert == "auto" and self.channels == 1:
                self.expected_ground()
        if images in self._ran or images * self._image_s > NO_MATTER_S:
            return
        nothing = np.zeros((images, self.channels, *self.preparation.size), np.uint8)
        for _ in range(2 if images == 1 else 1):
            start = time.perf_counter()
            self.probabilities(nothing)
            self._image_s = (time.perf_counter() - start) / images
        self._ran.add(images)

    def _prepared(self, image: Image) -> tuple[np.ndarray, Answer]:
        start = time.perf_counter()
        answer = Answer(_name(image))
        pixels = self.pixels(image)
        answer.size = (pixels.shape[1], pixels.shape[2])
        fitted, answer.inverted = self.fitted(pixels)
        answer.decode_ms = 1000 * (time.perf_counter() - start)
        return fitted, answer

    def _answered(self, prepared: list[np.ndarray], answers: list[Answer], top: int) -> list[Answer]:
        """The answers, with the classes of those that have no error, whose images are `prepared`."""
        if prepared:
            self._warm_up(len(prepared))
        start = time.perf_counter()
        found = self.probabilities(np.stack(prepared)) if prepared else np.empty((0, self.classes))
        took_ms = 1000 * (time.perf_counter() - start)
        good = [answer for answer in answers if not answer.error]
        for answer, values in zip(good, found):
            order = np.argsort(-values, kind="stable")[:top]
            answer.classes = [Class(int(i), self.labels[i], float(values[i])) for i in order]
            answer.forward_ms = took_ms / len(good)
        return answers


def _name(image: Image) -> str:
    return "" if isinstance(image, (bytes, np.ndarray)) else os.fspath(image)


def _output(net: Net, wanted: str | None) -> str:
    """The output with the classes: the only one, or the only one of a Softmax."""
    if wanted is not None:
        if wanted not in net.outputs:
            raise ConfigError(f"no output {wanted!r}", hint=suggest(wanted, net.outputs))
        return wanted
    made_by = {top: layer.type for layer in net.layers for top in layer.param.top}
    softmax = [name for name in net.outputs if made_by[name] == "Softmax"]
    for names in (net.outputs, softmax):
        if len(names) == 1:
            return names[0]
    raise ConfigError(
        f"{len(net.outputs)} outputs: {', '.join(net.outputs) or 'none'}",
        hint="say which one has the classes: --output NAME",
    )


def _classes(net: Net, output: str) -> int:
    shape = net.blobs[output].shape
    n = net.blobs[net.inputs[0]].shape[0]
    if len(shape) < 2 or shape[0] != n or any(extent != 1 for extent in shape[2:]):
        raise ShapeError(
            f"output {output!r} has the shape {shape}, no score for each class: expected ({n}, classes)"
        )
    return shape[1]
