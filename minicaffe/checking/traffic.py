"""How many bytes a layer must move: its compulsory traffic.

Forward reads every bottom and parameter once and writes every top once.  Backward reads the diffs of the tops
and what `backward_reads` names, writes the diff of every bottom that a gradient goes to, and reads and writes
the gradient of every parameter that is trained, because it is added to.  No cache spares a layer any of this,
but for blobs small enough to stay in it from the layer before; bytes over time is then more than the memory's
bandwidth.

Blobs that share memory without being in place (Split, Flatten, Reshape, Concat of one bottom) are not moved:
they count nothing.  In place a blob is read and written, and counts twice.  What forward saves for backward
besides blobs (the places of maxima, statistics, partial sums) is a kernel's own affair and counts nothing.
Rows that are looked up (Embed) count as if all were different.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..core.blob import Blob
from ..graph.gradients import Backward
from ..proto.schema import TEST

Blobs = Sequence[Blob]

UNKNOWN = frozenset({"Python"})  # nobody knows what a user's code reads
LINEAR = frozenset({"Convolution", "Deconvolution", "InnerProduct"})  # their dx reads no x, their dW no W
PICKING = frozenset({"BatchReindex", "Crop", "Filter"})  # read as much as they write


def forward(layer: Any, bottom: Blobs, top: Blobs, itemsize: int) -> int | None:
    """The bytes of a layer's forward, with blobs of `itemsize` bytes per element; None if unknown."""
    if layer.type in UNKNOWN:
        return None
    if layer.source or layer.type == "Silence" or _does_nothing(layer, bottom, top):
        return 0
    written = [y for y in top if not _is_alias(y, bottom, "data_of")]
    if top and not written:
        return 0
    return itemsize * (_read_forward(layer, bottom, top) + _count(written))


def backward(layer: Any, bottom: Blobs, top: Blobs, runs: Backward, itemsize: int) -> int | None:
    """The bytes of a layer's backward, as far as the net runs it; None if unknown."""
    if layer.type in UNKNOWN:
        return None
    trained = [blob for blob, wanted in zip(layer.params, runs.params) if wanted]
    written = [x for x, wanted in zip(bottom, runs.propagate) if wanted and not _is_alias(x, top, "diff_of")]
    if not runs.runs or not (trained or written) or _does_nothing(layer, bottom, top):
        return 0
    read = _count(_with_diff(layer, top)) + _read_backward(layer, bottom, top, runs)
    added_to = _count(trained)
    if layer.type == "Embed" and runs.params[0]:
        added_to += _looked_up(layer, top) - layer.params[0].count
    return itemsize * (read + _count(written) + 2 * added_to)


def _count(blobs: Iterable[Blob]) -> int:
    return sum(blob.count for blob in blobs)


def _distinct(blobs: Iterable[Blob]) -> list[Blob]:
    """One blob per memory."""
    return list({id(blob.data_of): blob for blob in blobs}.values())


def _is_alias(blob: Blob, others: Blobs, kind: str) -> bool:
    """Whether it is another name of the memory of one of the others, "data_of" or "diff_of", so that nothing
    has to be moved.  The same blob, in place, is not."""
    owner = getattr(blob, kind)
    return all(blob is not other for other in others) and any(
        getattr(other, kind) is owner for other in others
    )


def _does_nothing(layer: Any, bottom: Blobs, top: Blobs) -> bool:
    """Dropout in TEST, in place."""
    return layer.type == "Dropout" and layer.phase == TEST and top[0] is bottom[0]


def _read_forward(layer: Any, bottom: Blobs, top: Blobs) -> int:
    """Elements of bottoms and parameters."""
    params = layer.params
    if layer.type in PICKING:  # of Crop's last bottom only the shape counts
        return _count(top) + (0 if layer.type == "Crop" else bottom[-1].count)
    if layer.type == "Embed":
        return _count(bottom) + _looked_up(layer, top) + _count(params[1:])
    return _count(_distinct(bottom)) + _count(params)


def _looked_up(layer: Any, top: Blobs) -> int:
    """Elements of an Embed's weights that it reads."""
    return min(layer.params[0].count, top[0].count)


def _with_diff(layer: Any, top: Blobs) -> list[Blob]:
    """The tops whose diff backward reads."""
    if layer.type == "Pooling":  # the second holds the places of the maxima
        return list(top[:1])
    return [y for i, y in enumerate(top) if i not in layer.detached_tops]


def _read_backward(layer: Any, bottom: Blobs, top: Blobs, runs: Backward) -> int:
    """Elements of data: what `backward_reads` names, and the weights that a gradient passes through."""
    reads, linear = layer.backward_reads, layer.type in LINEAR
    blobs: list[Blob] = []
    if "bottom.data" in reads and (not linear or runs.params[0]):
        blobs += bottom
    if reads & {"top.data", "top.sign"}:
        blobs += top
    weights: list[Blob] = []
    if any(runs.propagate) and (linear or layer.type in ("PReLU", "Scale")):
        weights = layer.params[:1]
    if layer.type in ("LSTM", "RNN"):  # through time, so whatever goes down; vectors are biases
        weights = [blob for blob in layer.params if len(blob.shape) > 1]
    return _count(_distinct(blobs)) + _count(weights)
