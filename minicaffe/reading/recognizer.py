"""The net that knows characters: pictures of glyphs in, logarithms of probabilities out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..device.base import Device
from ..errors import ConfigError, DataError, ShapeError, locate
from ..files import read_text
from ..net import Net
from .glyphs import SIDE

NONE = "none"  # the label of what is no character
DIGITS = tuple("0123456789")
SYMBOLS = ("+", "-", "×", "÷", "=")
BATCH = 256
SHIPPED = Path(__file__).parent / "weights"


class Recognizer:
    """A net for glyphs, with what its classes mean.

    net, weights  files; those that are shipped if left out
    labels        a file of labels, one a line, or the labels; `labels.txt` beside the net, or else 0 to 9
    device        where the net runs; a CpuDevice if left out

    Raises a MiniCaffeError for files that cannot be read, or a net that takes anything but one grey picture
    of 28x28.
    """

    def __init__(
        self,
        net: str | os.PathLike | None = None,
        weights: str | os.PathLike | None = None,
        labels: str | os.PathLike | Sequence[str] | None = None,
        device: Device | None = None,
    ) -> None:
        if (net is None) != (weights is None):
            raise ConfigError("a net and its weights go together", hint="give both, or neither")
        net = SHIPPED / "reader.prototxt" if net is None else net
        weights = SHIPPED / "reader.caffemodel" if weights is None else weights
        outline = Net(str(net), phase="TEST", allocate=False)  # which fetches no data that a net may name
        with locate(str(net)):
            if len(outline.inputs) != 1:
                raise ShapeError(f"a net with {len(outline.inputs)} inputs; expected one: a deploy net")
            (self.input,) = outline.inputs
            shape = outline.blobs[self.input].shape
            if tuple(shape[1:]) != (1, SIDE, SIDE):
                raise ShapeError(f"its input is {shape}; expected glyphs, (N, 1, {SIDE}, {SIDE})")
        self.net = Net(str(net), phase="TEST", device=device, forward_only=True, keep="needed")
        self.net.load(str(weights))
        self.labels = self._labels(labels, Path(net))
        classes = self._run(np.zeros((1, SIDE, SIDE), np.float32)).shape[1]
        if classes != len(self.labels):
            raise DataError(f"{len(self.labels)} labels for a net with {classes} classes: {net}")
        self.none = self.labels.index(NONE) if NONE in self.labels else None

    @staticmethod
    def _labels(labels: str | os.PathLike | Sequence[str] | None, net: Path) -> tuple[str, ...]:
        if labels is None:
            beside = net.with_name("labels.txt")
            if not beside.exists():
                return DIGITS
            labels = beside
        if isinstance(labels, (str, os.PathLike)):
            labels = read_text(labels).split()
        return tuple(labels)

    def log_probabilities(self, glyphs: np.ndarray) -> np.ndarray:
        """(N, classes) of (N, 28, 28) glyphs in [0, 1]."""
        pieces = [self._run(glyphs[i : i + BATCH]) for i in range(0, len(glyphs), BATCH)]
        return np.concatenate(pieces) if pieces else np.zeros((0, len(self.labels)), np.float32)

    def _run(self, glyphs: np.ndarray) -> np.ndarray:
        self.net.put_inputs({self.input: glyphs[:, None]})  # (n, 1, 28, 28)
        outputs = self.net.forward()
        if len(outputs) != 1:
            raise ShapeError(f"a net with the outputs {', '.join(outputs)}; expected one")
        (values,) = outputs.values()
        values = values.reshape(len(glyphs), -1).astype(np.float64)
        if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-3):
            return np.log(np.maximum(values, 1e-12))
        values = values - values.max(axis=1, keepdims=True)  # scores before a softmax
        return values - np.log(np.exp(values).sum(axis=1, keepdims=True))
