"""Where a net says which class a sample is of, and where the label is that it is held to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, suggest
from ..graph.wiring import Node
from ..layers.source.source import Source
from ..net import Net
from . import metrics

# What reads scores (bottom 0) and labels (bottom 1), the best witness first, with the messages of its
# parameters that hold ignore_label, and the axis of the classes.
WITNESSES = {
    "Accuracy": ("accuracy_param", "accuracy_param"),
    "SoftmaxWithLoss": ("loss_param", "softmax_param"),
    "InfogainLoss": ("loss_param", "infogain_loss_param"),
    "MultinomialLogisticLoss": ("", ""),
    "HingeLoss": ("", ""),
    "SigmoidCrossEntropyLoss": ("loss_param", ""),
}
SOFTMAX, SIGMOID, PROBABILITIES = "softmax", "sigmoid", "probabilities"
MADE_BY = {"Softmax": PROBABILITIES, "Sigmoid": PROBABILITIES}
READ_BY = {
    "Softmax": SOFTMAX,
    "SoftmaxWithLoss": SOFTMAX,
    "InfogainLoss": SOFTMAX,
    "Sigmoid": SIGMOID,
    "SigmoidCrossEntropyLoss": SIGMOID,
    "MultinomialLogisticLoss": PROBABILITIES,
}
HINT = "name them: --scores BLOB --label BLOB"


class Head(NamedTuple):
    """scores, label  names of blobs
    form    what the scores are: softmax or sigmoid, which is still to be applied, or probabilities
    known   whether the net says so; if not, softmax is an assumption
    axis    of the classes in the scores
    ignore  a label that stands for none
    """

    scores: str
    label: str
    form: str
    known: bool
    axis: int
    ignore: int | None

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """(N, C), float64, of scores of N samples; ShapeError for several predictions a sample, DataError
        for scores that are not finite."""
        axis = self.axis % scores.ndim if scores.ndim else 0
        if scores.ndim < 2 or axis == 0 or scores.size != scores.shape[0] * scores.shape[axis]:
            raise ShapeError(
                f"blob {self.scores!r} must hold one score a class for each sample, (n, classes); got"
                f" {scores.shape}",
                hint="a report is of nets that predict one class a sample",
            )
        rows = scores.reshape(len(scores), -1).astype(np.float64)
        if rows.shape[1] < 2:
            raise ShapeError(f"blob {self.scores!r} has scores of {rows.shape[1]} class; expected 2 or more")
        if not np.isfinite(rows).all():
            i, c = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(
                f"blob {self.scores!r} holds {rows[i, c]} for class {c} of sample {i} of the batch",
                hint="the weights are those of a training that went wrong, or the data holds such numbers",
            )
        if self.form == SOFTMAX:
            return metrics.softmax(rows)
        return metrics.shares(metrics.sigmoid(rows) if self.form == SIGMOID else rows)

    def classes(self, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(N,), int64, of a batch's labels: numbers of classes, or a row for each sample that is 1 at its
        class and 0 elsewhere.  shape is (N, C).

        Raises ShapeError for as many as are neither, DataError for a label that is no class.
        """
        count, classes = shape
        if labels.size == count:
            numbers = labels.reshape(-1)
        elif labels.size == count * classes:
            rows = labels.reshape(count, classes)
            numbers = rows.argmax(axis=1)
            bad = np.flatnonzero((rows != (np.arange(classes) == numbers[:, None])).any(axis=1))
            if bad.size:
                raise DataError(
                    f"row {bad[0]} of blob {self.label!r} is no label: expected one 1 among zeros",
                    hint="a report is of nets that predict one class a sample; --label BLOB names another",
                )
        else:
            raise ShapeError(
                f"blob {self.label!r} must hold a label for each of {count} samples; got {labels.shape}",
                hint=HINT,
            )
        inside = (numbers >= 0) & (numbers < classes)
        bad = np.flatnonzero(~(inside & (numbers == np.trunc(numbers))) & (numbers != self.ignore))
        if bad.size:
            raise DataError(
                f"label {numbers[bad[0]]:.9g} of sample {bad[0]} of the batch is none of the classes 0 to"
                f" {classes - 1}",
                hint=f"blob {self.label!r} holds the labels; --label BLOB names another",
            )
        return numbers.astype(np.int64)


class ShownGraph:
    """The graph of a net as people see it: without the Split layers between a blob and its readers."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.names = net.graph.blob_names
        self.writer: dict[int, int] = {}  # the last node that writes a blob
        self.origin = list(range(len(self.names)))  # the blob that a Split copies
        self.readers: dict[int, list[Node]] = {}
        for i, node in enumerate(net.graph.nodes):
            for blob in node.bottoms:
                self.readers.setdefault(self.origin[blob], []).append(node)
            for blob in node.tops:
                self.writer[blob] = i
                if node.param.type == "Split":
                    self.origin[blob] = self.origin[node.bottoms[0]]

    @property
    def shown(self) -> list[str]:
        """The names of blobs that are no copies."""
        return [name for i, name in enumerate(self.names) if self.origin[i] == i]

    def sources(self, blob: str) -> list[int]:
        """The layers that bring data from which a blob is made, in order."""
        nodes, wanted = self.net.graph.nodes, {self.names.index(blob)}
        found: list[int] = []
        for i in reversed(range(len(nodes))):  # backwards, since layers may write in place
            if wanted.intersection(nodes[i].tops):
                wanted = wanted.difference(nodes[i].tops).union(nodes[i].bottoms)
                if isinstance(self.net.layers[i], Source):
                    found.insert(0, i)
        return found

    def form(self, blob: str) -> tuple[str, bool]:
        """What the scores in a blob are, and whether the net says so."""
        index = self.origin[self.names.index(blob)]
        made = self.net.graph.nodes[self.writer[index]].param.type
        if made in MADE_BY:
            return MADE_BY[made], True
        said = [
            READ_BY[node.param.type] for node in self.readers.get(index, []) if node.param.type in READ_BY
        ]
        return (said[0], True) if said else (SOFTMAX, False)


def find(net: Net, scores: str = "", label: str = "") -> Head:
    """The head of a net, or the one with these blobs; of several the one whose scores come last.

    Raises ConfigError for a blob that there is not, and for a net that does not tell.
    """
    graph = ShownGraph(net)
    for flag, name in (("scores", scores), ("label", label)):
        if name and name not in graph.names:
            raise ConfigError(f"--{flag} {name}: the net has no such blob", hint=suggest(name, graph.shown))
    heads = sorted(_heads(graph), key=lambda found: found[0])
    fitting = [head for _, head in heads if scores in ("", head.scores) and label in ("", head.label)]
    if fitting:
        return fitting[-1]
    scores = scores or next((head.scores for _, head in reversed(heads)), "") or _made(graph, "Softmax")
    label = label or next((head.label for _, head in reversed(heads)), "") or _label(graph)
    missing = [what for what, name in (("the scores", scores), ("the labels", label)) if not name]
    if missing:
        raise ConfigError(
            f"cannot tell which blob holds {' and which '.join(missing)}: there is no Accuracy,"
            " SoftmaxWithLoss or SigmoidCrossEntropyLoss layer in phase TEST",
            hint=HINT,
        )
    return Head(scores, label, *graph.form(scores), 1, None)


def _heads(graph: ShownGraph) -> Iterator[tuple[tuple[int, int], Head]]:
    """What layers hold to labels, each with its place: that of its scores, and how good a witness it is."""
    ranks = {kind: -i for i, kind in enumerate(WITNESSES)}
    for node in graph.net.graph.nodes:
        kind = node.param.type
        if kind in WITNESSES:
            ignoring, axial = WITNESSES[kind]
            conf = getattr(node.param, ignoring) if ignoring else None
            ignore = conf.ignore_label if conf is not None and conf.HasField("ignore_label") else None
            axis = getattr(node.param, axial).axis if axial else 1
            blobs = [graph.origin[blob] for blob in node.bottoms[:2]]
            names = [graph.names[blob] for blob in blobs]
            head = Head(names[0], names[1], *graph.form(names[0]), axis, ignore)
            yield (graph.writer[blobs[0]], ranks[kind]), head


def _made(graph: ShownGraph, kind: str) -> str:
    """The last blob that a layer of this type makes; empty if there is none."""
    nodes = [node for node in graph.net.graph.nodes if node.param.type == kind]
    return graph.names[nodes[-1].tops[0]] if nodes else ""


def _label(graph: ShownGraph) -> str:
    """The second top of the only layer that brings two; empty if there are several, or none."""
    tops = [
        node.tops[1]
        for node, layer in zip(graph.net.graph.nodes, graph.net.layers)
        if isinstance(layer, Source) and len(node.tops) == 2
    ]
    return graph.names[tops[0]] if len(tops) == 1 else ""
