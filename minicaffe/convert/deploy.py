"""A net as it is deployed: data layers become inputs, losses what they make of the scores, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core.layer import Layer
from ..data import absent
from ..data.batches import Batches
from ..data.detection.settings import in_use
from ..data.records import RecordBatches
from ..errors import ConfigError, MiniCaffeError, Place, in_layer, suggest
from ..graph.filter import takes_part
from ..layers import LAYERS, resolve
from ..layers.source.source import Source
from ..net import Net
from ..proto import upgrade
from ..proto.schema import TEST, TRAIN, LayerParameter, Message, NetParameter, NetState

Shapes = Mapping[str, Sequence[int]]

# Losses that begin with an activation, and the field that holds its axis.
ACTIVATIONS = {
    "SoftmaxWithLoss": ("Softmax", "softmax_param"),
    "InfogainLoss": ("Softmax", "infogain_loss_param"),
    "SigmoidCrossEntropyBalanceLoss": ("Sigmoid", ""),
    "SigmoidCrossEntropyLoss": ("Sigmoid", ""),
}
SINKS = {"HDF5Output", "Silence"}
BY_CHANCE = ("mirror", "scale_factors", "crop_height", "crop_width")  # or said by the input's shape
RECURRENT = {"LSTM", "Lstm", "RNN"}  # whose first axis is time
PROB = "prob"
WHITE = 255.0  # of a pixel, where the data has all that bytes can hold
DIM = 64  # data whose brightest pixel is no brighter has a white of its own: 16 in `digits`
LOOKED_AT = 100  # images, to learn of their kind
# Where data is looked for that the state of a net does not bring in.
STATES = [NetState(phase=phase, stage=stage) for phase, stage in ((TEST, []), (TEST, ["val"]), (TRAIN, []))]
STATES.append(NetState(phase=TRAIN, stage=["train"]))


def speaks_of_deployment(net: NetParameter) -> bool:
    """Whether a rule of the net names the stage `deploy`, as those of all-in-one nets do."""
    rules = [rule for layer in net.layer for rule in (*layer.include, *layer.exclude)]
    return any("deploy" in (*rule.stage, *rule.not_stage) for rule in rules)


def trains(net: NetParameter) -> bool:
    """Whether the net has layers that a deploy net has not: data, losses, measures."""
    known = [layer for layer in net.layer if layer.type in LAYERS and layer.type != "Input"]
    return any(_kind(layer).measures or _is_source(layer) for layer in known)


class Deployment:
    """`net` without what serves training and testing, in phase TEST.

    SoftmaxWithLoss and InfogainLoss leave their Softmax, SigmoidCrossEntropyLoss its Sigmoid, under the name
    of the second top, or <layer>/prob; other losses and Accuracy go, and what is learned and was read by them
    alone becomes an output.  What reads their results, and what remains of labels, goes too.  Data layers
    become inputs, of the shapes given by blob name in `shapes`, or else as `like`, a net that is built, or
    their sources have them; where the state has none for a blob, one that validates or trains is taken.

    written  True: as people write deploy nets.  A batch has one item; data that is not here is no obstacle
             where the net tells its shape; the stage `deploy` is meant if the net speaks of it; of several
             losses those of less than the largest weight go, with all that served them alone (GoogLeNet's
             auxiliary classifiers); losses of TRAIN alone leave their activation too; the activation is
             called prob if there is one; an Input keeps the transform_param of its data, but for `mirror`,
             new_height and new_width of its image_data_param, and in memory_data_param the size of images
             that were all alike before they were cropped: Caffe and the engine pass over all of that, and
             `inference` carries it out

    param    the net that remains
    source   the file it is from, for errors
    sources  by the name of an input the layer that brought it in
    notes    what was done to it, for people

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
        written: bool = False,
        like: Net | None = None,
    ) -> None:
        self.source = "" if isinstance(net, NetParameter) else str(net)
        self.param = NetParameter()
        self.param.CopyFrom(upgrade.read_net(self.source) if self.source else net)
        upgrade.upgrade_net(self.param)
        self.param.state.phase = TEST
        if level is not None:
            self.param.state.level = level
        self.written, self.like = written, like
        in_stage = written and not stages and speaks_of_deployment(self.param)
        self.param.state.stage.extend(["deploy"] if in_stage else stages)
        self.notes: list[str] = []
        self.sources: dict[str, LayerParameter] = {}
        self._readers: dict[str, Layer] = {}
        layers = self._separate_inputs(self._taking_part(losses=written and not in_stage))
        layers = self._strip_measures(layers)
        inputs = [layer for layer in layers if layer.type == "Input"]
        self.sources = {name: self.sources[name] for layer in inputs for name in layer.top}
        self._settle_shapes(inputs, shapes or {})
        if all(layer.type == "Input" for layer in layers):
            raise ConfigError("the net has no layer that computes something from its inputs")
        del self.param.layer[:]
        self.param.layer.extend(layers)
        if written:
            self.param.ClearField("state")

    def images(self, name: str, count: int) -> list[np.ndarray]:
        """The first images (C, H, W) that training read into an input, untransformed; none if they are not
        here.  Nothing is downloaded."""
        try:
            batches = getattr(self.reader(name), "batches", lambda: None)()
            if isinstance(batches, Batches):
                return list(batches.samples.images[:count])
            if isinstance(batches, RecordBatches):
                return [batches.records.read(i)[0] for i in range(min(count, len(batches.records)))]
        except MiniCaffeError:
            pass
        return []

    def class_names(self, name: str) -> list[str]:
        """The names of the classes of the data that training read into an input; none if it has none, or is
        not here."""
        try:
            layer = self.reader(name)
            epoch = layer.epoch() if isinstance(layer, Source) else None
            return list(epoch.classes) if epoch is not None else []
        except MiniCaffeError:
            return []

    def reader(self, name: str) -> Layer:
        """The layer that brings an input in, without transform_param, whose mean_file need not be here."""
        if name not in self._readers:
            layer = LayerParameter()
            layer.CopyFrom(self.sources[name])
            layer.ClearField("transform_param")
            layer.annotated_data_param.ClearField("batch_sampler")
            self._readers[name] = self._open(layer, name).layers[0]
        return self._readers[name]

    def white(self, name: str) -> float:
        """What a white pixel is in the data that training read into an input: 255, or, of pixels that are not
        those of image files, the highest of the first images if it is at most 64."""
        if self.sources[name].type != "Data":
            return WHITE
        highest = max([float(image.max()) for image in self.images(name, LOOKED_AT)], default=0)
        return highest if 0 < highest <= DIM else WHITE

    def _taking_part(self, *, losses: bool) -> Iterator[LayerParameter]:
        """The layers of the state; with `losses`, those of TRAIN too, if what they read is there."""
        made: set[str] = set()
        for layer in self.param.layer:
            part = takes_part(layer, self.param.state)
            if not part and losses and layer.type in ACTIVATIONS:
                part = any(takes_part(layer, state) for state in STATES) and layer.bottom[0] in made
                part = part and not made & set(layer.top)
            if part:
                made |= set(layer.top)
                yield layer

    def _separate_inputs(self, layers: Iterable[LayerParameter]) -> list[LayerParameter]:
        """The layers, with an Input layer for every top of one that brings data in, and for every bottom that
        none makes."""
        result: list[LayerParameter] = []
        made: set[str] = set()

        def bring(name: str, source: LayerParameter) -> None:
            self.sources[name] = source
            result.append(LayerParameter(name=name, type="Input", top=[name]))

        for given in layers:
            layer = LayerParameter()
            layer.CopyFrom(given)
            for field in ("include", "exclude", "loss_weight"):  # a loss_weight would count as a reader
                if field != "loss_weight" or layer.type not in ACTIVATIONS:
                    layer.ClearField(field)
            if _is_source(layer):
                for top in layer.top:
                    bring(top, layer)
            else:
                for name in dict.fromkeys(layer.bottom):
                    if name not in made and (source := self._elsewhere(name)) is not None:
                        bring(name, source)
                        made.add(name)
                result.append(layer)
            made |= set(layer.top)
        said = {id(layer): layer for layer in self.sources.values() if layer.type not in ("Input", "")}
        for layer in said.values():
            self.notes.append(f"{Place.of(layer)} becomes inputs")
            if layer.HasField("transform_param") and not self.written:
                self.notes[-1] += ", which transform_param is not applied to"
        return result

    def _elsewhere(self, name: str) -> LayerParameter | None:
        """A layer of another state that brings a blob in; one without a type for a blob of `like`."""
        for state in STATES:
            for layer in self.param.layer:
                if name in layer.top and _is_source(layer) and takes_part(layer, state):
                    return layer
        return LayerParameter() if self.like is not None and name in self.like.blobs else None

    def _strip_measures(self, layers: list[LayerParameter]) -> list[LayerParameter]:
        """The layers without losses and measures, and without what reads their results."""
        kept: list[LayerParameter] = []
        labels = {top for top, layer in self.sources.items() if layer.type != "Input"}
        least = max([_weight(layer) for layer in layers if layer.type in ACTIVATIONS], default=1.0)
        heads = [layer for layer in layers if layer.type in ACTIVATIONS and _weight(layer) >= least]
        gone: set[str] = set()
        auxiliary: set[str] = set()
        names = {top for layer in layers for top in layer.top}
        for layer in layers:
            if layer.type in ACTIVATIONS and self.written and _weight(layer) < least:
                self.notes.append(f"{Place.of(layer)} is left out, of loss_weight {_weight(layer):g}")
                auxiliary.add(layer.bottom[0])
                gone |= set(layer.top)
            elif layer.type in ACTIVATIONS:
                labels |= set(layer.bottom[1:])
                if self.written and _is_made(layer, layers):
                    self.notes.append(f"{Place.of(layer)} is left out")
                    gone |= set(layer.top)
                    continue
                kept.append(self._activation(layer, names, alone=len(heads) == 1))
                gone |= set(layer.top) - set(kept[-1].top)
            elif _kind(layer).measures or gone & set(layer.bottom):
                self.notes.append(f"{Place.of(layer)} is left out")
                labels |= set(layer.bottom)
                gone |= set(layer.top)
            elif self.written and layer.type in SINKS:
                self.notes.append(f"{Place.of(layer)} is left out")
            else:
                kept.append(layer)
                gone -= set(layer.top)
        return _without(_without(kept, auxiliary, learned=False), labels)

    def _activation(self, layer: LayerParameter, names: set[str], *, alone: bool) -> LayerParameter:
        kind, field = ACTIVATIONS[layer.type]
        name = layer.name
        if self.written and alone and PROB not in names:
            name = PROB
        top = layer.top[1] if len(layer.top) > 1 else PROB if name == PROB else f"{layer.name}/{PROB}"
        while len(layer.top) < 2 and top in names:
            top += "_"
        result = LayerParameter(name=name, type=kind, bottom=layer.bottom[:1], top=[top])
        if field and not (self.written and getattr(layer, field).axis == 1):  # which is the default
            result.softmax_param.axis = getattr(layer, field).axis
        names.add(top)
        self.notes.append(f"{Place.of(layer)} becomes {kind}, with the top {top}")
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
            source = self.sources[name]
            shape = shapes.get(name)
            if shape is None and self.like is not None and name in self.like.blobs:
                shape = self._of_one(self.like.blobs[name].shape)
            if shape is None and self.written and source.type != "Input":
                shape = self._told(source, name, opened)
            shape = self._opened(source, name, opened) if shape is None else shape
            if 0 in shape:
                raise ConfigError(f"input {name!r} has no shape", hint=_remedy(name))
            layer.input_param.shape.add(dim=shape)
            if self.written:
                self._keep_preparation(layer, source)

    def _keep_preparation(self, layer: LayerParameter, source: LayerParameter) -> None:
        """Let an Input say what is done to images, and the size that they had if all had one, in Caffe's own
        fields if the net has no others."""
        kept, image = layer.transform_param, source.image_data_param
        kept.CopyFrom(source.transform_param)
        if source.type == "AnnotatedData" and (fit := in_use(kept)):
            self.notes.append(f"{Place.of(layer)}: resize_param {fit} has to be done to images beforehand")
        for field in BY_CHANCE:
            kept.ClearField(field)
        if image.new_height and image.new_width:
            layer.image_data_param.new_height = image.new_height
            layer.image_data_param.new_width = image.new_width
        changed = kept.HasField("resize") or kept.crop_size or layer.HasField("image_data_param")
        if changed and not kept.resize.from_height and (size := self.whole(layer.name)):
            if kept.HasField("resize"):
                kept.resize.from_height, kept.resize.from_width = size
            else:
                layer.memory_data_param.height, layer.memory_data_param.width = size
        if not kept.ByteSize():
            layer.ClearField("transform_param")

    def whole(self, name: str) -> tuple[int, int] | None:
        """Height and width of the images that training read into an input, before it resized or cropped them,
        if the first of them all have one, or its Input says so, which `_keep_preparation` wrote."""
        source = self.sources[name]
        if source.type == "Input" and source.memory_data_param.height:
            return source.memory_data_param.height, source.memory_data_param.width
        sizes = {image.shape[1:] for image in self.images(name, LOOKED_AT)}
        return sizes.pop() if len(sizes) == 1 else None  # type: ignore[return-value]

    def _of_one(self, shape: Sequence[int]) -> Sequence[int]:
        kept = not self.written or any(layer.type in RECURRENT for layer in self.param.layer)
        return shape if kept else (1, *shape[1:])

    def _told(self, source: LayerParameter, name: str, opened: dict[int, Net]) -> Sequence[int]:
        """The shape of one item of a blob that a layer brings in: of its source, or else as the net tells."""
        told = (absent.shapes(source, TEST, {}) or [])[: len(source.top)]
        said = dict(zip(source.top, told))
        if absent.named_set(source) and name in said:
            return self._of_one(said[name])
        try:
            return self._of_one(self._opened(source, name, opened))
        except MiniCaffeError:
            if name not in said:
                raise
        shape = self._of_one(said[name])
        self.notes.append(
            f"{Place.of(source)}: its data is not here; {_remedy(name, shape)} if it is another"
        )
        return shape

    def _opened(self, source: LayerParameter, name: str, opened: dict[int, Net]) -> Sequence[int]:
        if id(source) not in opened:
            opened[id(source)] = self._open(source, name)
        return opened[id(source)].blobs[name].shape

    def _open(self, layer: LayerParameter, name: str) -> Net:
        """A net of one layer that brings data in: its tops have their shapes."""
        alone = NetParameter(state=self.param.state, layer=[layer])
        for field in ("include", "exclude"):
            alone.layer[0].ClearField(field)
        try:
            return Net(alone, source=self.source, allocate=False)
        except MiniCaffeError as error:
            if layer.type != "Input":
                error.hint = _remedy(name)
            raise


def _kind(layer: LayerParameter) -> type[Layer]:
    """The class of a layer; UnknownTypeError, with the layer's name, if there is none."""
    with in_layer(layer):
        return resolve(layer.type)


def _is_source(layer: LayerParameter) -> bool:
    """Whether a layer brings data in."""
    return _kind(layer).source or (layer.type == "Python" and bool(layer.top) and not layer.bottom)


def _weight(layer: LayerParameter) -> float:
    return layer.loss_weight[0] if layer.loss_weight else 1.0


def _is_made(loss: LayerParameter, layers: Sequence[LayerParameter]) -> bool:
    """Whether the net has the activation that a loss begins with anyway."""
    kind, field = ACTIVATIONS[loss.type]
    return any(
        layer.type == kind
        and layer.bottom[0] == loss.bottom[0] != layer.top[0]
        and (not field or layer.softmax_param.axis == getattr(loss, field).axis)
        for layer in layers
    )


def _without(layers: list[LayerParameter], labels: set[str], *, learned: bool = True) -> list[LayerParameter]:
    """The layers but for those that make nothing but `labels`, which nobody reads now, and in which nothing
    is learned; without `learned`, whether something is or not."""
    held: set[str] = set()
    for layer in layers if learned else ():
        if _kind(layer).has_params or held & set(layer.bottom):
            held |= set(layer.top)
    kept: list[LayerParameter] = []
    read: set[str] = set()
    labels = set(labels)
    for layer in reversed(layers):
        if layer.top and set(layer.top) <= labels - read - held:
            labels |= set(layer.bottom)
        else:
            kept.append(layer)
            read |= set(layer.bottom)
    return kept[::-1]


def _remedy(name: str, shape: Sequence[int] | None = None) -> str:
    if shape is not None:
        return f"{name} is taken as {'x'.join(map(str, shape))}: give its shape (--shape {name}=...)"
    return f"give the shape of {name} (--shape {name}=...)"
