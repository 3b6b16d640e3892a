"""A net as it is deployed: data layers become inputs, losses what they make of the scores, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...errors import ConfigError, MiniCaffeError, suggest
from ...graph.filter import filter_net
from ...layers import resolve
from ...net import Net
from ...proto import upgrade
from ...proto.schema import TEST, LayerParameter, Message, NetParameter
from .rules import NONE

Shapes = Mapping[str, Sequence[int]]

# Losses that begin with an activation, and the field that holds its axis.
ACTIVATIONS = {
    "SoftmaxWithLoss": ("Softmax", "softmax_param"),
    "InfogainLoss": ("Softmax", "infogain_loss_param"),
    "SigmoidCrossEntropyLoss": ("Sigmoid", ""),
}
MEASURES = {"Accuracy", "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "MultinomialLogisticLoss"}
LEARNED = {
    *("BatchNorm", "Bias", "Convolution", "Deconvolution", "Embed", "InnerProduct"),
    *("LSTM", "Parameter", "PReLU", "RNN", "Scale"),
}


class Deployment:
    """`net` without what serves training and testing, in phase TEST.

    SoftmaxWithLoss and InfogainLoss leave their Softmax, SigmoidCrossEntropyLoss its Sigmoid, under the name
    of the second top, or <layer>/prob; other losses and Accuracy go, and what is learned and was read by them
    alone becomes an output.  What reads their results, and what remains of labels, goes too.  Data layers
    become inputs, of the shapes given by blob name in `shapes`, or else as their sources have them.

    param   the net that remains
    source  the file it is from, for errors
    notes   what was done to it, for the person who exports

    Raises ConfigError for a shape of a blob that is no input, or if nothing remains; the source's error, with
    a hint, for a data layer whose source cannot be read.
    """

    def __init__(
        self,
        net: str | Path | Message,
        *,
        shapes: Shapes | None = None,
        level: int | None = None,
        stages: Sequence[str] = (),
    ) -> None:
        self.source = "" if isinstance(net, NetParameter) else str(net)
        self.param = NetParameter()
        self.param.CopyFrom(upgrade.read_net(self.source) if self.source else net)
        upgrade.upgrade_net(self.param)
        self.param.state.phase = TEST
        if level is not None:
            self.param.state.level = level
        self.param.state.stage.extend(stages)
        self.notes: list[str] = []
        self._sources: dict[str, LayerParameter] = {}  # input -> the layer that brings it in
        layers = self._separate_inputs(filter_net(self.param).layer)
        layers = self._strip_measures(layers)
        self._settle_shapes([layer for layer in layers if layer.type == "Input"], shapes or {})
        if all(layer.type == "Input" for layer in layers):
            raise ConfigError("the net has no layer that computes something from its inputs")
        del self.param.layer[:]
        self.param.layer.extend(layers)

    def _separate_inputs(self, layers: Iterable[LayerParameter]) -> list[LayerParameter]:
        """The layers, with an Input layer for every top of one that brings data in."""
        result = []
        for given in layers:
            layer = LayerParameter()
            layer.CopyFrom(given)
            for field in ("include", "exclude", "loss_weight"):  # a loss_weight would count as a reader
                layer.ClearField(field)
            if layer.type in NONE or not resolve(layer.type).source:
                result.append(layer)
                continue
            if layer.type != "Input":
                self.notes.append(f"{_place(layer)} becomes inputs")
                if layer.HasField("transform_param"):
                    self.notes[-1] += ", which transform_param is not applied to"
            for top in layer.top:
                self._sources[top] = layer
                result.append(LayerParameter(name=f"{layer.name}/{top}", type="Input", top=[top]))
        return result

    def _strip_measures(self, layers: list[LayerParameter]) -> list[LayerParameter]:
        """The layers without losses and measures, and without what reads their results."""
        kept: list[LayerParameter] = []
        labels = {top for top, layer in self._sources.items() if layer.type != "Input"}
        gone: set[str] = set()
        names = {top for layer in layers for top in layer.top}
        for layer in layers:
            if layer.type in ACTIVATIONS:
                kept.append(self._activation(layer, names))
                labels |= set(layer.bottom[1:])
                gone |= set(layer.top) - set(kept[-1].top)
            elif layer.type in MEASURES or gone & set(layer.bottom):
                self.notes.append(f"{_place(layer)} is left out")
                labels |= set(layer.bottom)
                gone |= set(layer.top)
            else:
                kept.append(layer)
                gone -= set(layer.top)
        return _without(kept, labels)

    def _activation(self, layer: LayerParameter, names: set[str]) -> LayerParameter:
        kind, field = ACTIVATIONS[layer.type]
        top = layer.top[1] if len(layer.top) > 1 else f"{layer.name}/prob"
        while len(layer.top) < 2 and top in names:
            top += "_"
        result = LayerParameter(name=layer.name, type=kind, bottom=layer.bottom[:1], top=[top])
        if field:
            result.softmax_param.axis = getattr(layer, field).axis
        names.add(top)
        self.notes.append(f"{_place(layer)} becomes {kind}, with the top {top}")
        return result

    def _settle_shapes(self, inputs: list[LayerParameter], shapes: Shapes) -> None:
        names = [layer.top[0] for layer in inputs]
        for name in shapes:
            if name not in names:
                raise ConfigError(
                    f"a shape is given for {name!r}, which is no input", hint=suggest(name, names)
                )
        opened: dict[int, Net] = {}
        for layer, name in zip(inputs, names):
            source = self._sources[name]
            shape = shapes.get(name)
            if shape is None:
                if id(source) not in opened:
                    opened[id(source)] = self._open(source, name)
                shape = opened[id(source)].blobs[name].shape
            if 0 in shape:
                raise ConfigError(f"input {name!r} has no shape", hint=_remedy(name))
            layer.input_param.shape.add(dim=shape)

    def _open(self, layer: LayerParameter, name: str) -> Net:
        """A net of one layer that brings data in: its tops have their shapes."""
        alone = NetParameter(state=self.param.state, layer=[layer])
        try:
            return Net(alone, source=self.source, allocate=False)
        except MiniCaffeError as error:
            if layer.type != "Input":
                error.hint = _remedy(name)
            raise


def _without(layers: list[LayerParameter], labels: set[str]) -> list[LayerParameter]:
    """The layers but for those that make nothing but `labels`, which nobody reads now, and in which nothing
    is learned."""
    learned: set[str] = set()
    for layer in layers:
        if layer.type in LEARNED or learned & set(layer.bottom):
            learned |= set(layer.top)
    kept: list[LayerParameter] = []
    read: set[str] = set()
    labels = set(labels)
    for layer in reversed(layers):
        if layer.top and set(layer.top) <= labels - read - learned:
            labels |= set(layer.bottom)
        else:
            kept.append(layer)
            read |= set(layer.bottom)
    return kept[::-1]


def _remedy(name: str) -> str:
    return f"give the shape of {name} (--shape {name}=...)"


def _place(layer: LayerParameter) -> str:
    return f"layer {layer.name!r} ({layer.type})"
