"""Rules about the data and what is done to it."""

from __future__ import annotations

from collections.abc import Iterator

from ...data import datasets
from ...data.absent import files, mean_shape
from ...errors import MiniCaffeError
from ...files import open_file
from ..finding import ADVICE, ERROR, WARNING, Finding
from ..state import SHAPING, State
from .structure import made_layers

SOURCES = {"AnnotatedData": "data_param", "Data": "data_param", "ImageData": "image_data_param"}
SCALING = frozenset(
    {"BN", "BatchNorm", "MVN", "Power", "Scale", "Bias", "Eltwise"}
)  # may centre what comes in
CHARACTERS = ("mnist", "digits", "svhn", "usps", "letters")
CLASSIFIERS = ("SoftmaxWithLoss", "MultinomialLogisticLoss", "HingeLoss", "InfogainLoss", "Accuracy")


def too_few_classes(state: State) -> Iterator[Finding]:
    """Scores for fewer classes than the named set has: its labels are errors."""
    for i, layer, _ in made_layers(state):
        if layer.type not in CLASSIFIERS or len(state.layers[i].bottom) < 2:
            continue
        origin = state.origin(i, 1)
        source = state.layers[origin].data_param.source if origin is not None else ""
        part = datasets.named_part(source)
        if part is None:
            continue
        classes = part[0].classes
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
        characters = any(name in source.lower().replace("fashion-mnist", "") for name in CHARACTERS)
        if layer.transform_param.mirror and characters:
            what = f"mirror on {source}: a mirrored character is another one, or none"
            yield state.finding(WARNING, i, what, "remove mirror")


def raw_pixels(state: State) -> Iterator[Finding]:
    """Pixels from 0 to 255, neither centred nor scaled."""
    for i in state.of_type(*SOURCES):
        conf = state.layers[i].transform_param
        if conf.scale != 1 or conf.mean_file or conf.mean_value or conf.std_value:
            continue
        readers = [j for j in state.above[i] if state.below[j][:1] == [i] and reads_images(state, j, i)]
        if any(state.layers[j].type not in SCALING | SHAPING for j in readers):
            what = "pixels come in neither scaled nor centred"
            yield state.finding(ADVICE, i, what, "transform_param { scale: 0.00390625 }, or mean_value")


def sorted_by_label(state: State) -> Iterator[Finding]:
    """A list of training images with one class after the other: a batch holds a single class."""
    if not state.trains:
        return
    for i in state.of_type("ImageData"):
        conf = state.layers[i].image_data_param
        if not conf.shuffle and _is_sorted(conf.source):
            what = f"{conf.source} lists one class after the other: a batch holds few of them"
            yield state.finding(WARNING, i, what, "shuffle: true in image_data_param")


def _is_sorted(source: str) -> bool:
    """Whether the lines of a list of images form one run per label, of which there are several and not all
    of a single line."""
    seen: set[bytes] = set()
    last, lines = b"", 0
    try:
        with open_file(source) as file:
            for line in file:
                label = line.rstrip().rpartition(b" ")[2]
                if label != last and label in seen:
                    return False
                seen.add(label)
                last, lines = label, lines + 1
    except (MiniCaffeError, OSError):  # said elsewhere
        return False
    return 1 < len(seen) < lines


def mean_of_another_size(state: State) -> Iterator[Finding]:
    """A mean image that is smaller than what is cut out of the images, or not as large as they are; where
    the data is here, trying it tells."""
    for i in state.of_type(*SOURCES):
        layer = state.layers[i]
        transform = layer.transform_param
        mean = mean_shape(transform.mean_file)
        if mean is None or not any(files(layer)):
            continue
        conf = layer.image_data_param if layer.type == "ImageData" else None
        size = (transform.resize.height, transform.resize.width)
        if conf is not None and conf.new_height:
            size = (conf.new_height, conf.new_width)
        what = f"the mean in {transform.mean_file} is {mean[1]} x {mean[2]}"
        if all(size) and size != mean[1:]:
            what += f", the images are {size[0]} x {size[1]}"
        elif transform.crop_size > min(mean[1:]):
            what += f", smaller than crop_size {transform.crop_size}"
        else:
            continue
        yield state.finding(ERROR, i, what, "make it from these images, or use mean_value")


def reads_images(state: State, reader: int, source: int) -> bool:
    """Whether a layer's first bottom is the first top of a source."""
    return state.layers[reader].bottom[0] == state.layers[source].top[0]


def transforms_differ(states: list[State]) -> Iterator[Finding]:
    """Training and test data that are scaled or centred differently."""
    kinds: dict[tuple, tuple[State, int]] = {}
    for state in states:
        for i in state.of_type(*SOURCES):
            conf = state.layers[i].transform_param
            kind = (conf.scale, tuple(conf.mean_value), conf.mean_file, tuple(conf.std_value))
            kinds.setdefault(kind, (state, i))
    if len(kinds) > 1:
        (first, a), (other, b) = list(kinds.values())[:2]
        place = f"line {first.lines[a]}" if first.lines[a] else first.file
        what = f"scale or mean differ from those of layer {first.layers[a].name!r} in {first.name}, {place}"
        yield other.finding(WARNING, b, what, "prepare all data alike")._replace(rule="transforms_differ")
