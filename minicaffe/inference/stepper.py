"""A net at work on one image, forward and backward: what every layer read and made, and the gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data import class_names
from ..errors import ConfigError, DataError
from ..graph.splits import is_automatic
from ..net import Net
from ..proto.schema import Message, NetParameter
from .viewer import Viewer

LEAST = float(np.finfo(np.float32).tiny)  # below which a probability counts as this, as in Caffe's losses
ENDS = ("Softmax", "Sigmoid")  # whose bottoms are the scores that become certainties
KINDS = ("loss", "score", "none")


@dataclass
class Passage:
    """What went through one layer.

    index        of the layer in the net
    bottoms, tops  what the layer read and made: arrays, by the names of the blobs
    bottom_diffs, top_diffs  the gradients by them; None where none came
    params       weights first, and param_diffs: the gradients by them, None where none came
    """

    index: int
    name: str
    type: str
    bottom_names: list[str]
    top_names: list[str]
    bottoms: list[np.ndarray] = field(default_factory=list)
    tops: list[np.ndarray] = field(default_factory=list)
    bottom_diffs: list[np.ndarray | None] = field(default_factory=list)
    top_diffs: list[np.ndarray | None] = field(default_factory=list)
    params: list[np.ndarray] = field(default_factory=list)
    param_diffs: list[np.ndarray | None] = field(default_factory=list)


@dataclass
class Trace:
    """What one image left in a net.

    passages  of the layers as people see them, in their order
    scores    of the classes, as the net's last layer made them; None if it has none
    target    whose gradient went back: the kind, one of KINDS, and the number of the class
    value     what the gradient is of: the loss, or the score
    """

    passages: list[Passage]
    scores: np.ndarray | None
    target: tuple[str, int]
    value: float | None


class Stepper(Viewer):
    """A net with its weights that lets an image be followed through all of its layers, and back.

    Arguments are as for Viewer.  The net is the deploy net; where its layers have gradients, all of them are
    computed (force_backward).

    output   the blob of certainties; "" if the net has none, (1, C, ...)
    classes  how many there are
    labels   their names
    """

    forward_only = False

    def __init__(self, net: str | Path | Message, weights: str | Path | None, **options: Any) -> None:
        super().__init__(net, weights, **{**options, "keep": "all"})
        self.output, self.classes = _output(self.net)
        labels = self.class_names() or class_names.beside(filter(None, (weights, self.file)))
        try:
            self.labels = class_names.of(labels, self.classes)
        except ConfigError:  # a labels.txt that is of other nets
            self.labels = class_names.of(None, self.classes)
        self._shown = _shown(self.net)

    def described(self, net: Message) -> Message:
        forced = NetParameter()
        forced.CopyFrom(net)
        forced.force_backward = True
        return forced

    def prepared(self, pixels: np.ndarray) -> np.ndarray:
        """What the net takes, (1, C, H, W), of an image (C, h, w) as `pixels` gives it."""
        fitted, _ = self.fitted(pixels)
        return self.preparation(fitted[None])

    def sampled(self, number: int) -> np.ndarray:
        """The same of an image of the net's data; DataError if there is none of this number."""
        image, _ = self.samples.read(number)
        if image.dtype == np.uint8:
            image = self.preparation.fit(image)
        return self.preparation(image[None], white=self.preparation.raw_scale)

    def follow(self, input: np.ndarray, kind: str = "none", number: int = 0) -> Trace:
        """One pass forward with the net's input, and one backward from

        loss    -log p of class `number`, where the net ends in a Softmax, as SoftmaxWithLoss has it
        score   the score of class `number`, before a Softmax or Sigmoid at the end
        none    nowhere

        DataError for a class that there is not; ConfigError for a net that has none, or no such end.
        """
        if kind not in KINDS:
            raise ConfigError(f"no gradient of {kind!r}; expected one of {', '.join(KINDS)}")
        net, seen = self.net, _Recorder(self.net)
        net.put_inputs({self.input: input})
        net.clear_param_diffs()
        net.observer = seen
        try:
            net.forward()
            value = None if kind == "none" else self._back(kind, number)
        finally:
            net.observer = None
        scores = None
        if self.output:
            scores = np.array(net.device.get(net.blobs[self.output].data))
        return Trace([self._passage(i, seen) for i in self._shown], scores, (kind, number), value)

    def _back(self, kind: str, number: int) -> float:
        net = self.net
        if not self.output:
            raise ConfigError("the net has no output with a value for each class: no gradient begins there")
        if not 0 <= number < self.classes:
            raise DataError(f"class {number}; expected 0 to {self.classes - 1}")
        maker = max(i for i, node in enumerate(net.graph.nodes) if self.output in _names(net, node.tops))
        last = net.layers[maker]
        if kind == "loss" and (last.type != "Softmax" or net.blobs[self.output].count != self.classes):
            raise ConfigError(
                "the loss is that of a net which ends in one Softmax over its classes",
                hint="take the gradient of a score",
            )
        blob, start = net.blobs[self.output], maker
        if kind == "score" and last.type in ENDS:
            blob, start = net.bottoms[maker][0], maker - 1
        values = np.array(net.device.get(blob.data))
        seed = np.zeros_like(values)
        if kind == "loss":
            certainty = max(float(values[0, number]), LEAST)
            seed[0, number] = -1 / certainty
            value = -float(np.log(certainty))
        else:
            seed[0, number] = 1
            value = float(values[0, number].sum())
        net.device.put(seed, blob.diff)
        net.backward(start)
        return value

    def _passage(self, i: int, seen: _Recorder) -> Passage:
        layer, node, net = self.net.layers[i], self.net.graph.nodes[i], self.net
        found = Passage(i, layer.name, layer.type, _origins(net, node.bottoms), _names(net, node.tops))
        found.bottoms, found.tops = seen.bottoms[i], seen.tops[i]
        found.bottom_diffs = seen.bottom_diffs.get(i, [None] * len(found.bottoms))
        found.top_diffs = seen.top_diffs.get(i, [None] * len(found.tops))
        found.params = [np.array(net.device.get(blob.data)) for blob in layer.params]
        found.param_diffs = seen.param_diffs.get(i, [None] * len(found.params))
        return found


class _Recorder:
    """An observer that copies what passes: blobs may share memory, in place, with those behind them."""

    def __init__(self, net: Net) -> None:
        self.net, self.get = net, net.device.get
        self.bottoms: dict[int, list[np.ndarray]] = {}
        self.tops: dict[int, list[np.ndarray]] = {}
        self.bottom_diffs: dict[int, list[np.ndarray | None]] = {}
        self.top_diffs: dict[int, list[np.ndarray | None]] = {}
        self.param_diffs: dict[int, list[np.ndarray | None]] = {}

    def before_forward(self, layer: int) -> None:
        self.bottoms[layer] = [np.array(self.get(blob.data)) for blob in self.net.bottoms[layer]]

    def after_forward(self, layer: int) -> None:
        self.tops[layer] = [np.array(self.get(blob.data)) for blob in self.net.tops[layer]]

    def before_backward(self, layer: int) -> None:
        self.top_diffs[layer] = [np.array(self.get(blob.diff)) for blob in self.net.tops[layer]]

    def after_backward(self, layer: int) -> None:
        backward = self.net.gradients[layer]
        if not backward.runs:
            return
        bottoms, params = self.net.bottoms[layer], self.net.layers[layer].params
        self.bottom_diffs[layer] = [
            np.array(self.get(blob.diff)) if goes else None for blob, goes in zip(bottoms, backward.propagate)
        ]
        self.param_diffs[layer] = [
            np.array(self.get(blob.diff)) if goes else None for blob, goes in zip(params, backward.params)
        ]


def _names(net: Net, blobs: list[int]) -> list[str]:
    return [net.graph.blob_names[b] for b in blobs]


def _origins(net: Net, blobs: list[int]) -> list[str]:
    """The names of blobs as people know them: that of the blob whose copy it is."""
    copies = {
        top: node.bottoms[0]
        for node in net.graph.nodes
        if node.param.type == "Split" and is_automatic(node.param)
        for top in node.tops
    }
    return _names(net, [copies.get(b, b) for b in blobs])


def _shown(net: Net) -> list[int]:
    return [i for i, layer in enumerate(net.layers) if not is_automatic(layer.param)]


def _output(net: Net) -> tuple[str, int]:
    """The output with a value, or a map of them, for each class, and how many there are: the only one, or the
    only one of a Softmax.  ("", 0) if nothing tells."""
    made_by = {top: layer.type for layer in net.layers for top in layer.param.top}
    items = net.blobs[net.inputs[0]].shape[0]
    shapes = {name: net.blobs[name].shape for name in net.outputs if made_by.get(name) != "ArgMax"}
    fitting = [name for name, shape in shapes.items() if len(shape) >= 2 and shape[0] == items]
    certain = [name for name in fitting if made_by.get(name) in ENDS]
    for names in (fitting, certain):
        if len(names) == 1:
            return names[0], net.blobs[names[0]].shape[1]
    return "", 0
