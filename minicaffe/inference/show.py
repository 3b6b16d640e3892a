"""What is inside a net: its filters and weights as pictures, and what they make of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..convert import formats
from ..convert.deploy import Deployment
from ..convert.model import load_all
from ..errors import ConfigError, Place, UnknownTypeError, locate, suggest
from ..files import LARGEST_BYTES
from ..graph.splits import is_automatic
from ..net import Net
from ..proto import binary
from ..proto.schema import Message
from . import pictures
from .viewer import Image, Viewer

MOST_CHANNELS = 96  # columns of a grid of filters


@dataclass
class LayerBlobs:
    """A layer of a net, or of a file of weights.

    params   its parameters, weights first
    bottom   the shape of what it reads, without the batch; () if it is not known
    top      that of what it makes; () if it is not known
    """

    name: str
    type: str
    params: list[np.ndarray] = field(default_factory=list)
    bottom: tuple[int, ...] = ()
    top: tuple[int, ...] = ()
    transposed: bool = False

    @property
    def place(self) -> Place:
        return Place(layer=self.name, type=self.type or None)

    @property
    def title(self) -> str:
        return f"{self.name} ({self.type})" if self.type else self.name


class Inside:
    """The layers of a net with its weights, or of a file of weights alone.

    net      a prototxt; None: what the weights tell
    weights  a file of any format; None: what the fillers give

    parts    the layers in their order, by name

    Raises a MiniCaffeError for files that cannot be read or do not fit each other.
    """

    def __init__(
        self, net: str | Path | None, weights: str | Path | None, largest_bytes: int = LARGEST_BYTES
    ) -> None:
        self.net, self.weights = net, weights
        if net is not None:
            self.parts = _of_net(net, weights)
        elif weights is not None:
            self.parts = _of_weights(weights, largest_bytes)
        else:
            raise ConfigError("neither a net nor weights to show")

    @property
    def origin(self) -> str:
        names = [Path(path).name for path in (self.net, self.weights) if path is not None]
        return ", ".join(names) + ("" if self.weights is not None else ", as the fillers begin")

    def part(self, name: str) -> LayerBlobs:
        """A layer; UnknownTypeError, with the name that was meant, if there is none."""
        if name not in self.parts:
            where = self.net if self.net is not None else self.weights
            raise UnknownTypeError(f"{where}: no layer {name!r}", hint=suggest(name, self.parts))
        return self.parts[name]

    def weights_of(self, name: str) -> bytes:
        """A PNG of the weights of a layer.

        A convolution's filters in a grid, in colour if they read three channels; of other channels one below
        the other, a row for each filter and a column for each channel.  The weights of an InnerProduct that
        reads an image, grey or in colour, as images; other matrices as one, a row for each output; vectors as
        bars.

        ConfigError for a layer without weights.
        """
        part = self.part(name)
        if not part.params:
            raise ConfigError(
                f"{part.place} has no weights", hint="--image FILE shows what it makes of an image"
            )
        return _weights(part, self.origin)

    def histogram_of(self, name: str) -> bytes:
        """A PNG of the histograms of a layer's parameters; ConfigError for a layer without any."""
        part = self.part(name)
        if not part.params:
            raise ConfigError(
                f"{part.place} has no weights", hint="--image FILE shows the histogram of its top"
            )
        named = [(_parameter(part, i), values) for i, values in enumerate(part.params)]
        return pictures.histogram(named, part.title, [self.origin])


class Activations:
    """What the layers of a net make of one image; net, weights and options are those of Viewer."""

    def __init__(self, net: str | Path, weights: str | Path | None, image: Image, **options: Any) -> None:
        self.viewer = Viewer(net, weights, keep="all", **options)
        self.name = image if isinstance(image, str) else ""
        fitted, self.inverted = self.viewer.fitted(self.viewer.pixels(image))
        self.input = self.viewer.preparation(fitted[None])

    def of(self, name: str) -> np.ndarray:
        """The first top of a layer, as it leaves that layer, without the batch.  UnknownTypeError if there is
        no such layer, ConfigError if it has no top."""
        net = self.viewer.net
        names = [layer.name for layer in net.layers]
        shown = [layer.name for layer in net.layers if not is_automatic(layer.param)]
        if name not in shown:
            raise UnknownTypeError(f"no layer {name!r}", hint=suggest(name, shown))
        index = names.index(name)
        if not net.tops[index]:
            raise ConfigError(f"{Place.of(net.layers[index])} makes nothing")
        net.put_inputs({self.viewer.input: self.input})
        net.stage()
        net.run_forward(0, index)
        return np.array(net.device.get(net.tops[index][0].data))[0]

    def picture(self, name: str) -> bytes:
        """A PNG of the first top of a layer: a tile for each channel, or a bar for each value."""
        values = self.of(name)
        layer = next(layer for layer in self.viewer.net.layers if layer.name == name)
        title, lines = f"{name} ({layer.type})", self._lines(values)
        if values.ndim == 3 and values.shape[1:] != (1, 1):
            tiles = values[None] if layer.type == "Input" and len(values) == 3 else values
            return pictures.grid(tiles, None, title, lines, "channels")
        flat = values.ravel()
        if len(flat) <= pictures.MOST_BARS:
            return pictures.bars(flat, list(map(str, range(len(flat)))), title, lines)
        width = math.ceil(math.sqrt(len(flat)))
        padded = np.concatenate([flat, np.zeros(-len(flat) % width, flat.dtype)])
        return pictures.grid(padded.reshape(1, -1, width), None, title, [*lines, "row by row"], "values")

    def histogram(self, name: str) -> bytes:
        """A PNG of the histogram of the first top of a layer."""
        values = self.of(name)
        layer = next(layer for layer in self.viewer.net.layers if layer.name == name)
        return pictures.histogram([("activations", values)], f"{name} ({layer.type})", self._lines(values))

    def _lines(self, values: np.ndarray) -> list[str]:
        said = " (light and dark exchanged)" if self.inverted else ""
        return [f"{_spelled(values.shape)} of {Path(self.name).name or 'an image'}{said}"]


def _of_net(net: str | Path, weights: str | Path | None) -> dict[str, LayerBlobs]:
    built = Net(Deployment(net, written=True).param, source=str(net), seed=1, forward_only=True)
    if weights is not None:
        load_all(built, weights, quiet=True)
    parts: dict[str, LayerBlobs] = {}
    for layer, bottoms, tops in zip(built.layers, built.bottoms, built.tops):
        if not is_automatic(layer.param):
            params = [np.array(built.device.get(blob.data)) for blob in layer.params]
            bottom, top = (tuple(blobs[0].shape[1:]) if blobs else () for blobs in (bottoms, tops))
            parts.setdefault(
                layer.name, LayerBlobs(layer.name, layer.type, params, bottom, top, _transposed(layer.param))
            )
    return parts


def _of_weights(weights: str | Path, largest_bytes: int) -> dict[str, LayerBlobs]:
    parts: dict[str, LayerBlobs] = {}
    stored = formats.in_todays_shapes(formats.read_weights(weights, largest_bytes))
    for layer in stored.layer:
        with locate(str(weights)), locate(Place(layer=layer.name)):
            params = [np.asarray(binary.to_array(blob)) for blob in layer.blobs]
        if params:
            parts.setdefault(
                layer.name, LayerBlobs(layer.name, layer.type, params, transposed=_transposed(layer))
            )
    return parts


def _transposed(layer: Message) -> bool:
    return layer.type == "InnerProduct" and layer.inner_product_param.transpose


NAMES = {  # of parameters
    "BN": ("scale", "shift", "mean", "variance"),
    "BatchNorm": ("mean", "variance", "factor"),
    "PReLU": ("slopes",),
}


def _parameter(part: LayerBlobs, index: int) -> str:
    names = NAMES.get(part.type, ("weights", "bias"))
    name = names[index] if index < len(names) else f"parameter {index}"
    return f"{name} {_spelled(part.params[index].shape)}"


def _weights(part: LayerBlobs, origin: str) -> bytes:
    values = part.params[0]
    lines = [f"weights {_spelled(values.shape)} of {origin}"]
    if values.ndim == 2 and part.transposed:
        values = values.T
    image = part.bottom
    reads_image = len(image) == 3 and image[0] in (1, 3) and min(image[1:]) > 1
    if reads_image and values.ndim == 2 and values.shape[1] == math.prod(image):
        values = values.reshape(-1, *image)
        lines.append(f"a tile for each output: its weights of the {_spelled(image)} that it reads")
    if values.ndim == 4 and values.shape[2:] != (1, 1):
        return _filters(values, part.title, lines)
    values = values.reshape(values.shape[:2]) if values.ndim == 4 else values.squeeze()
    if values.ndim == 2:
        lines.append("a row for each output, a column for each input")
        shown = values[: pictures.HEIGHT_PX, : pictures.WIDTH_PX]
        if shown.shape != values.shape:
            lines.append(f"the first {_spelled(shown.shape)} of {_spelled(values.shape)}")
        return pictures.grid(shown[None], None, part.title, lines, "values")
    if values.ndim < 2:
        flat = values.reshape(-1)
        return pictures.bars(flat, list(map(str, range(len(flat)))), part.title, lines)
    raise ConfigError(
        f"{part.place} has weights of {values.ndim} axes, {_spelled(values.shape)}; 1, 2 or 4 can be drawn",
        hint="--histogram shows any",
    )


def _filters(values: np.ndarray, title: str, lines: Sequence[str]) -> bytes:
    """Filters (N, C, H, W)."""
    _, c, h, w = values.shape
    if c == 3:
        return pictures.grid(values, None, title, [*lines, "in colour"], "filters")
    if c == 1:
        return pictures.grid(values[:, 0], None, title, lines, "filters")
    lines = [*lines, "a row for each filter, a column for each channel that it reads"]
    if c > MOST_CHANNELS:
        values = values[:, :MOST_CHANNELS]
        lines[-1] += f", the first {MOST_CHANNELS} of {c}"
    return pictures.grid(values.reshape(-1, h, w), values.shape[1], title, lines, "planes")


def _spelled(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"
