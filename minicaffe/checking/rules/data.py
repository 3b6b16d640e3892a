"""Rules about the data and what is done to it."""

from __future__ import annotations

from collections.abc import Iterator

from ...data import datasets
from ..finding import ADVICE, ERROR, WARNING, Finding
from ..state import SHAPING, State
from .structure import made_layers

SOURCES = {"Data": "data_param", "ImageData": "image_data_param"}
SCALING = frozenset({"BatchNorm", "MVN", "Power", "Scale", "Bias", "Eltwise"})  # may centre what comes in
CHARACTERS = ("mnist", "digits", "svhn", "usps", "letters")
CLASSIFIERS = ("SoftmaxWithLoss", "MultinomialLogisticLoss", "HingeLoss", "InfogainLoss", "Accuracy")


def too_few_classes(state: State) -> Iterator[Finding]:
    """Scores for fewer classes than the named set has: its labels are errors."""
    for i, layer, _ in made_layers(state):
        if layer.type not in CLASSIFIERS or len(state.layers[i].bottom) < 2:
            continue
        origin = state.origin(i, 1)
        source = state.layers[origin].data_param.source if origin is not None else ""
        if source not in datasets.names():
            continue
        classes = datasets.SETS[source.partition("/")[0]].classes
        scores = state.net.blobs[state.layers[i].bottom[0]] if state.net else None  # type: ignore[union-attr]
        message = {"SoftmaxWithLoss": "softmax_param", "Accuracy": "accuracy_param"}.get(layer.type)
        axis = getattr(layer.param, message).axis if message else 1
        if scores is not None and len(scores.shape) > 1 and scores.shape[axis] < classes:
            what = f"scores for {scores.shape[axis]} classes; {source} has {classes}"
            yield state.finding(ERROR, i, what, f"set num_output: {classes} in the layer that makes them")


def mirrored_characters(state: State) -> Iterator[Finding]:
    """Mirrored digits are other characters, or none."""
    for i in state.of_type(*SOURCES):
        layer = state.layers[i]
        source = getattr(layer, SOURCES[layer.type]).source
        if layer.transform_param.mirror and any(name in source.lower() for name in CHARACTERS):
            what = f"mirror on {source}: a mirrored character is another one, or none"
            yield state.finding(WARNING, i, what, "remove mirror")


def raw_pixels(state: State) -> Iterator[Finding]:
    """Pixels from 0 to 255, neither centred nor scaled."""
    for i in state.of_type(*SOURCES):
        conf = state.layers[i].transform_param
        if conf.scale != 1 or conf.mean_file or conf.mean_value:
            continue
        readers = [j for j in state.above[i] if state.below[j][:1] == [i] and reads_images(state, j, i)]
        if any(state.layers[j].type not in SCALING | SHAPING for j in readers):
            what = "pixels come in neither scaled nor centred"
            yield state.finding(ADVICE, i, what, "transform_param { scale: 0.00390625 }, or mean_value")


def reads_images(state: State, reader: int, source: int) -> bool:
    """Whether a layer's first bottom is the first top of a source."""
    return state.layers[reader].bottom[0] == state.layers[source].top[0]


def transforms_differ(states: list[State]) -> Iterator[Finding]:
    """Training and test data that are scaled or centred differently."""
    kinds: dict[tuple, tuple[State, int]] = {}
    for state in states:
        for i in state.of_type(*SOURCES):
            conf = state.layers[i].transform_param
            kinds.setdefault((conf.scale, tuple(conf.mean_value), conf.mean_file), (state, i))
    if len(kinds) > 1:
        (first, a), (other, b) = list(kinds.values())[:2]
        place = f"line {first.lines[a]}" if first.lines[a] else first.file
        what = f"scale or mean differ from those of layer {first.layers[a].name!r} in {first.name}, {place}"
        yield other.finding(WARNING, b, what, "prepare all data alike")._replace(rule="transforms_differ")
