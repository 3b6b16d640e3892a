"""A net held to every sample of its data once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..data import class_names, ranges
from ..data.epoch import Epoch
from ..errors import ConfigError, DataError, locate
from ..net import Net, Position
from . import heads, metrics
from .metrics import Calibration, ClassScores, Confused, Judged, Proportion

PICTURES = 24  # of mistakes, and of suspect labels
TOP = 5


@dataclass(frozen=True)
class Evaluation:
    """What a net predicted for samples with labels, one prediction and one label each.

    net       its name
    about     what was evaluated, in words: the files, the data, the blobs
    classes   their names, by number
    judged    the predictions; a row is a sample that counts
    number    (rows,), the number of each row's sample in its source
    names     of the samples of rows that are mistakes, by row: the path of a file, or the number
    ignored   samples that do not count, since their label is ignore_label
    left_out  samples of the source that were not looked at
    pictures  images of the worst mistakes and of suspect labels, by row: bytes (H, W), or (H, W, 3) in RGB
    stretched whether their brightness was stretched to the range of bytes
    notes     what a reader must know to read the numbers rightly
    """

    net: str
    about: Mapping[str, str]
    classes: Sequence[str]
    judged: Judged
    number: np.ndarray
    names: Mapping[int, str]
    ignored: int = 0
    left_out: int = 0
    pictures: Mapping[int, np.ndarray] = field(default_factory=dict)
    stretched: bool = False
    notes: Sequence[str] = ()

    @property
    def samples(self) -> int:
        """How many count."""
        return len(self.judged.actual)

    @cached_property
    def accuracy(self) -> Proportion:
        return metrics.accuracy(self.judged)

    @cached_property
    def top5(self) -> Proportion | None:
        """None where there are no more than five classes."""
        return metrics.among_first(self.judged, TOP) if len(self.classes) > TOP else None

    @cached_property
    def log_loss(self) -> float:
        return metrics.log_loss(self.judged)

    @cached_property
    def brier(self) -> float:
        return metrics.brier_score(self.judged)

    @cached_property
    def confusion(self) -> np.ndarray:
        return metrics.confusion(self.judged, len(self.classes))

    @cached_property
    def by_class(self) -> ClassScores:
        return metrics.by_class(self.confusion)

    @cached_property
    def macro_f1(self) -> float:
        return metrics.macro(self.by_class.f1, self.by_class)

    @cached_property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that occur."""
        return metrics.macro(self.by_class.recall, self.by_class)

    @cached_property
    def calibration(self) -> Calibration:
        return metrics.calibration(self.judged)

    @cached_property
    def most_confused(self) -> list[Confused]:
        return metrics.most_confused(self.confusion)

    @cached_property
    def mistakes(self) -> np.ndarray:
        """Rows, the worst first."""
        return metrics.mistakes(self.judged)

    @cached_property
    def suspects(self) -> np.ndarray:
        """Rows, the most suspect first."""
        return metrics.suspects(self.judged, len(self.classes))


def evaluate(
    net: Net,
    *,
    weights: str = "",
    classes: str | os.PathLike | Sequence[str] | None = None,
    scores: str = "",
    label: str = "",
    batches: int | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Run a net over the samples of its source, each once, and judge its predictions.

    net      built for TEST, with keep="all", so that its scores can be read
    weights  the file that the net's weights are of, to be said
    classes  their names by number, or a file with a line for each; by default those that the data has, or
             labels.txt beside the data, the weights or the net, or else the numbers themselves
    scores   the blob of scores, one a class; found in the net if left out, and so is
    label    the blob of labels
    batches  passes to run, where an epoch is not wanted or has no end; what comes after the end of the epoch
             does not count
    tell     is told after each pass how many samples were seen, and how many there are

    Runs from the start of the data.  Raises ConfigError for a net that does not tell which blobs to take, or
    how many samples there are; ShapeError and DataError for blobs that hold no such thing.
    """
    if net.memory.keep != "all":
        raise ConfigError("only the outputs of this net can be read", hint='build it with keep="all"')
    head = heads.find(net, scores, label)
    graph = heads.ShownGraph(net)
    epoch = _epoch(net, graph, head)
    if epoch is None and batches is None:
        raise ConfigError(
            f"nothing says how many samples blob {head.label!r} gets in an epoch",
            hint="say how many batches to run: --iterations N",
        )
    if classes is None and epoch is not None and epoch.classes:
        classes = epoch.classes
    elif classes is None:
        classes = class_names.beside(
            filter(None, [*map(ranges.without, _data(net, graph, head)), weights, net.source])
        )
    names = class_names.of(classes, net.blobs[head.scores].shape[head.axis])
    net.seek(Position(0))
    parts, places, firsts = _run(net, head, epoch.length if epoch else None, batches, tell)
    judged, place = metrics.joined(parts), np.concatenate(places)
    counted = judged.actual != _IGNORED
    seen = len(place)
    if not counted.any():
        raise DataError(f"all {seen} labels are ignore_label, {head.ignore}")
    judged, place = Judged(*(array[counted] for array in judged)), place[counted]
    wrong = metrics.mistakes(judged)
    wanted = {*wrong[:PICTURES], *metrics.suspects(judged, len(names))[:PICTURES]}
    pictures, stretched = _pictures(net, graph, head, epoch, place, firsts, sorted(map(int, wanted)))
    number = epoch.samples(place) if epoch else place
    return Evaluation(
        net.name,
        _about(net, graph, head, weights),
        names,
        judged,
        number,
        {int(row): epoch.name(int(number[row])) if epoch else str(number[row]) for row in wrong},
        seen - len(place),
        epoch.length - seen if epoch else 0,
        pictures,
        stretched,
        _notes(head),
    )


_IGNORED = -1  # the class of a sample that does not count


def _epoch(net: Net, graph: heads.ShownGraph, head: heads.Head) -> Epoch | None:
    """The samples that the labels are of."""
    found: dict[str, Epoch] = {}
    for i in graph.sources(head.label) or graph.sources(head.scores):
        epoch = net.layers[i].epoch()  # type: ignore[attr-defined]  # it is a Source
        if epoch is not None:
            found[net.layers[i].name] = epoch
    if len({epoch.length for epoch in found.values()}) > 1:
        counts = ", ".join(f"{name} {epoch.length}" for name, epoch in found.items())
        raise ConfigError(
            f"blob {head.label!r} is made from sources with different numbers of samples: {counts}",
            hint="say how many batches to run: --iterations N",
        )
    return next(iter(found.values()), None)


def _run(
    net: Net,
    head: heads.Head,
    count: int | None,
    batches: int | None,
    tell: Callable[[int, int], None],
) -> tuple[list[Judged], list[np.ndarray], list[int]]:
    """All predictions, the places of their samples in the sequence, and the place at which each pass
    begins, that after the last too."""
    parts: list[Judged] = []
    places: list[np.ndarray] = []
    firsts = [0]
    while len(parts) != batches and (count is None or firsts[-1] < count):
        net.forward()
        with locate(f"batch {len(parts)}"):
            part = _judge(net, head)
        first, end = firsts[-1], firsts[-1] + len(part.actual)
        firsts.append(end)
        left = end - first if count is None else min(end, count) - first
        parts.append(Judged(*(array[:left] for array in part)))
        places.append(np.arange(first, first + left))
        tell(first + left, count or (batches or 0) * (end - first))
    return parts, places, firsts


def _judge(net: Net, head: heads.Head) -> Judged:
    scores, labels = (net.device.get(net.blobs[name].data) for name in (head.scores, head.label))
    p = head.probabilities(scores)
    actual = head.classes(labels, p.shape)
    ignored = np.full(len(actual), False) if head.ignore is None else actual == head.ignore
    judged = metrics.judge(p, np.where(ignored, 0, actual))
    return judged._replace(actual=np.where(ignored, _IGNORED, actual))


def _pictures(
    net: Net,
    graph: heads.ShownGraph,
    head: heads.Head,
    epoch: Epoch | None,
    place: np.ndarray,
    firsts: list[int],
    rows: list[int],
) -> tuple[dict[int, np.ndarray], bool]:
    """Images of some rows, as the net saw them but before mean and scale, brought once more by their
    source; empty if it brings none.  And whether they were stretched to the range of bytes."""
    found = _images(net, graph, head)
    if found is None or not rows:
        return {}, False
    layer, blob = found
    undo = epoch.pixels if epoch is not None and layer.epoch() is not None else None
    images: dict[int, np.ndarray] = {}
    now = -1
    for row in rows:
        number = int(np.searchsorted(firsts, place[row], side="right")) - 1
        if number != now:
            net.seek(Position(number))
            net.stage()
            batch, now = net.device.get(net.blobs[blob].data), number
        images[row] = batch[[place[row] - firsts[number]]].astype(np.float64)
    values = {row: (undo(image) if undo is not None else image)[0] for row, image in images.items()}
    low = min(float(value.min()) for value in values.values())
    high = max(float(value.max()) for value in values.values())
    stretched = not (low >= -0.5 and 64 <= high <= 255.5)  # no bytes, or few of them
    base, factor = (low, 255 / ((high - low) or 1)) if stretched else (0.0, 1.0)
    return {row: _shown((value - base) * factor) for row, value in values.items()}, stretched


def _images(net: Net, graph: heads.ShownGraph, head: heads.Head) -> tuple[Any, str] | None:
    """The source layer, and its top, of the images that the scores are made from; None if there are none."""
    for i in graph.sources(head.scores):
        top = net.graph.nodes[i].tops[0]
        shape = net.blobs[graph.names[top]].shape
        if net.layers[i].source and len(shape) == 4 and min(shape[2:]) > 1:
            return net.layers[i], graph.names[top]
    return None


def _shown(image: np.ndarray) -> np.ndarray:
    """An image (C, H, W) of numbers 0 to 255 as bytes: three channels are blue, green and red, as in Caffe;
    of other numbers the mean is shown."""
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if len(pixels) == 3:
        return np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    return pixels[0] if len(pixels) == 1 else pixels.mean(axis=0).astype(np.uint8)


def _about(net: Net, graph: heads.ShownGraph, head: heads.Head, weights: str) -> dict[str, str]:
    said = {"net": net.source or net.name, "weights": weights, "data": ", ".join(_data(net, graph, head))}
    said |= {"scores": f"blob {head.scores}", "labels": f"blob {head.label}"}
    return {what: value for what, value in said.items() if value}


def _data(net: Net, graph: heads.ShownGraph, head: heads.Head) -> list[str]:
    """What the layers that bring the labels name as their source."""
    params = [net.graph.nodes[i].param for i in graph.sources(head.label)]
    fields = ("data_param", "image_data_param", "hdf5_data_param")
    return [
        getattr(param, field).source for param in params for field in fields if getattr(param, field).source
    ]


def _notes(head: heads.Head) -> list[str]:
    if not head.known:
        return [
            "Nothing in the net says that its scores are to become probabilities: certainties here are the"
            " softmax of its scores."
        ]
    if head.form == heads.SIGMOID:
        return [
            "The net answers yes or no for every class by itself (sigmoid): certainties here are its answers"
            " divided by their sum over the classes."
        ]
    return []
