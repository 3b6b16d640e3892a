"""What images show, by a trained net: classes and how certain they are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import weights as stored_weights
from ..convert.deploy import LOOKED_AT, Deployment, Shapes
from ..data import absent, images
from ..data.images import Channels
from ..device.base import Device
from ..errors import ConfigError, MiniCaffeError, ShapeError, WeightsError, locate, suggest
from ..files import read_text
from ..net import Net
from ..proto.schema import LayerParameter, Message, TransformationParameter
from . import files, ground
from .preparation import PARTS, Preparation

INVERT = ("auto", "yes", "no")
MOST_PIXELS = 80_000_000  # of one image: it is held whole, three bytes a pixel and more
LABELS = "labels.txt"
KINDS = {"Softmax": "probability", "Sigmoid": "probability of each class by itself"}

Image = str | os.PathLike | bytes | np.ndarray


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


class Classifier:
    """A net with its weights, ready to say what images show.

    net       a deploy net, or one that trains, of which a deploy net is made: a path or a NetParameter.  What
              transform_param of the data layer in TEST, or of the Input layer, says is done to images
    weights   a file of any format; None: what the fillers give
    labels    a file with a line for each class, or the labels; by default labels.txt beside the weights or
              the net, or else the numbers of the classes
    mean      in the place of the net's own: a binaryproto, or one value for all channels, or one for each
    scale, std  in the place of the net's own
    raw_scale  what a white pixel is in the data of training (255); by default, where that data is here and
              its pixels go no higher than 64, its highest: 16 for the set `digits`
    size      height and width that images are brought to before the net's part is cut from their centre
    mode      squash (default): images are stretched to the size; crop: they are cut to its proportions
    invert    yes: light and dark change places; no: as they are; auto (default): for a net of one channel,
              where the ground of the image (`ground.of_image`) is not that of the training images, if those
              are here, or else, for inputs of at most 64 pixels a side, not dark, as that of MNIST is
    oversample  the mean over ten parts of every image instead of the whole
    shapes    of inputs that the net does not tell, by name
    output    which output has the classes, if there are several
    batch     images, or parts of them, that go through the net at once
    device    where it runs; a CpuDevice in float32 if left out

    channels      of the images it takes: 1 or 3, blue first
    classes       how many there are; labels: their names
    kind          "probability", "probability of each class by itself" (sigmoids), or "score" for a net that
                  ends in neither a Softmax nor a Sigmoid
    preparation   what is done to images

    Raises a MiniCaffeError for files that cannot be read, weights that do not fit or lack a layer, a net
    whose input is no image or whose output has no classes, settings that do not fit each other.
    """

    def __init__(
        self,
        net: str | Path | Message,
        weights: str | Path | None,
        *,
        labels: str | Path | Sequence[str] | None = None,
        mean: str | Path | Sequence[float] | None = None,
        scale: float | None = None,
        std: Sequence[float] | None = None,
        raw_scale: float | None = None,
        size: tuple[int, int] | None = None,
        mode: str = "squash",
        invert: str = "auto",
        oversample: bool = False,
        shapes: Shapes | None = None,
        output: str | None = None,
        batch: int = 64,
        device: Device | None = None,
        keep: str = "needed",
    ) -> None:
        if invert not in INVERT:
            raise ConfigError(f"invert is one of {', '.join(INVERT)}; got {invert!r}")
        if batch < 1:
            raise ConfigError(f"batch must be at least 1; got {batch}")
        self.invert, self.batch = invert, batch
        deployment = Deployment(net, shapes=shapes, written=True)
        with locate(deployment.source) if deployment.source else nullcontext():
            self.net = Net(
                deployment.param,
                device=device,
                seed=1,
                keep=keep,
                forward_only=True,
                folder=str(Path(deployment.source).parent) if deployment.source else None,
            )
            self.input = _image_input(self.net)
            self.output = _output(self.net, output)
            self.classes = _classes(self.net, self.output)
        if weights is not None:
            load(self.net, weights)
        self._source = deployment.sources[self.input]
        self._deployment = deployment
        self._ground: str | None = None
        self._ground_known = False
        self._cold = True
        _, self.channels, height, width = self.net.blobs[self.input].shape
        self.shape = (self.channels, height, width)
        maker = next(layer for layer in reversed(self.net.layers) if self.output in layer.param.top)
        self.kind = KINDS.get(maker.type, "score")
        self.labels = _labels(labels, self.classes, weights, deployment.source)
        transform = _transform(self._source, mean, scale, std)
        self.preparation = Preparation(
            transform,
            self.shape,
            size=size,
            whole=self._whole(transform) if size is None else None,
            mode=mode,
            raw_scale=deployment.white(self.input) if raw_scale is None else raw_scale,
            oversample=oversample,
        )

    # -- what is known of the training data

    def _whole(self, transform: Message) -> tuple[int, int] | None:
        """Height and width of the images that training read, before they were cropped."""
        if transform.mean_file and (shape := absent.mean_shape(transform.mean_file)):
            return shape[1], shape[2]
        if transform.crop_size and not transform.HasField("resize"):
            for image in self._deployment.images(self.input, 1):
                return image.shape[1], image.shape[2]
        return None

    def _expected_ground(self) -> str | None:
        if not self._ground_known:
            seen = self._deployment.images(self.input, LOOKED_AT)
            self._ground = ground.of_images(seen) if seen else ground.guessed(self.shape)
            self._ground_known = True
        return self._ground

    # -- images

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

    def _warm_up(self) -> None:
        """Do once what is done once, so that the times of images are those of images."""
        if self._cold:
            from PIL import Image  # noqa: F401

            if self.invert == "auto" and self.channels == 1:
                self._expected_ground()
            self.net.forward()
            self._cold = False

    def _prepared(self, image: Image) -> tuple[np.ndarray, Answer]:
        start = time.perf_counter()
        answer = Answer(_name(image))
        pixels = self.pixels(image)
        answer.size = (pixels.shape[1], pixels.shape[2])
        fitted = self.preparation.fit(pixels)
        answer.inverted = self._is_inverted(fitted)
        if answer.inverted:
            fitted = 255 - fitted
        answer.decode_ms = 1000 * (time.perf_counter() - start)
        return fitted, answer

    def pixels(self, image: Image) -> np.ndarray:
        """An image as (C, H, W), bytes, in as many channels as the net takes."""
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or len(image) != self.channels or image.dtype != np.uint8 or not image.size:
                expected = f"an array must have the shape ({self.channels}, H, W) and hold bytes"
                raise ShapeError(f"{expected}; got {image.shape} of {image.dtype}")
            return image
        channels = Channels.GRAY if self.channels == 1 else Channels.COLOR
        if isinstance(image, bytes):
            return images.decode(image, channels, MOST_PIXELS)
        data = files.contents(os.fspath(image))
        with locate("the standard input" if image == files.STDIN else os.fspath(image)):
            return images.decode(data, channels, MOST_PIXELS)

    def _is_inverted(self, fitted: np.ndarray) -> bool:
        if self.invert != "auto":
            return self.invert == "yes"
        if self.channels != 1:
            return False
        found = ground.of_image(fitted)
        expected = self._expected_ground()
        return None not in (found, expected) and found != expected

    def _answered(self, prepared: list[np.ndarray], answers: list[Answer], top: int) -> list[Answer]:
        """The answers, with the classes of those that have no error, whose images are `prepared`."""
        start = time.perf_counter()
        found = self.probabilities(np.stack(prepared)) if prepared else np.empty((0, self.classes))
        took_ms = 1000 * (time.perf_counter() - start)
        good = [answer for answer in answers if not answer.error]
        for answer, values in zip(good, found):
            order = np.argsort(-values, kind="stable")[:top]
            answer.classes = [Class(int(i), self.labels[i], float(values[i])) for i in order]
            answer.forward_ms = took_ms / len(good)
        return answers


def load(net: Net, path: str | Path) -> None:
    """Load weights of any format, and require them for all layers; WeightsError otherwise."""
    lacking = stored_weights.load(net, path, quiet=True, must_match=True)
    owners = {net.layers[owned.layer].name for owned in net.parameters.owned}
    if missing := [name for name in lacking if name in owners]:
        raise WeightsError(
            f"{path} holds no weights for {', '.join(map(repr, missing))}",
            hint="names of layers in net and weights must agree",
        )


def _name(image: Image) -> str:
    return "" if isinstance(image, (bytes, np.ndarray)) else os.fspath(image)


def _image_input(net: Net) -> str:
    """The input that is an image; ConfigError or ShapeError unless there is one."""
    if len(net.inputs) != 1:
        names = ", ".join(net.inputs) or "none"
        raise ConfigError(f"the net has {len(net.inputs)} inputs ({names}); an image goes into one")
    name = net.inputs[0]
    shape = net.blobs[name].shape
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise ShapeError(
            f"input {name!r} has the shape {shape}, which no image has: expected (N, 1 or 3, H, W)"
        )
    return name


def _output(net: Net, wanted: str | None) -> str:
    """The output with the classes: the only one, or the only one of a Softmax."""
    if wanted is not None:
        if wanted not in net.outputs:
            raise ConfigError(f"the net has no output {wanted!r}", hint=suggest(wanted, net.outputs))
        return wanted
    made_by = {top: layer.type for layer in net.layers for top in layer.param.top}
    softmax = [name for name in net.outputs if made_by[name] == "Softmax"]
    for names in (net.outputs, softmax):
        if len(names) == 1:
            return names[0]
    raise ConfigError(
        f"the net has {len(net.outputs)} outputs: {', '.join(net.outputs) or 'none'}",
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


def _labels(
    given: str | Path | Sequence[str] | None, classes: int, weights: str | Path | None, net: str
) -> list[str]:
    if given is None:
        beside = [Path(path).parent / LABELS for path in (weights, net) if path]
        given = next((path for path in beside if path.is_file()), None)
    if given is None:
        return [str(i) for i in range(classes)]
    if isinstance(given, (str, Path)):
        lines = [line.strip() for line in read_text(given).splitlines()]
        while lines and not lines[-1]:
            lines.pop()
        source = str(given)
    else:
        lines, source = list(given), "labels"
    if len(lines) != classes:
        raise ConfigError(
            f"{source} has {len(lines)} labels; the net has {classes} classes",
            hint="a line for each class, in the order of their numbers",
        )
    return lines


def _transform(
    source: LayerParameter,
    mean: str | Path | Sequence[float] | None,
    scale: float | None,
    std: Sequence[float] | None,
) -> Message:
    """transform_param of the layer that brings images in, with what is asked for in its place."""
    conf = TransformationParameter()
    conf.CopyFrom(source.transform_param)
    image = source.image_data_param
    if source.type == "ImageData" and image.new_height and image.new_width:
        conf.resize.height, conf.resize.width = image.new_height, image.new_width
    if mean is not None:
        conf.ClearField("mean_file")
        conf.ClearField("mean_value")
        if isinstance(mean, (str, Path)):
            conf.mean_file = str(mean)
        else:
            conf.mean_value.extend(mean)
    if scale is not None:
        conf.scale = scale
    if std is not None:
        del conf.std_value[:]
        conf.std_value.extend(std)
    return conf
