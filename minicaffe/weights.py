"""Weights by layer name: between nets, and to and from NetParameter messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import log
from .errors import ShapeError, locate
from .parameters import stored_array
from .proto import binary
from .proto.schema import Message, NetParameter

if TYPE_CHECKING:
    from .net import Net


def load(net: Net, stored: Message) -> None:
    """Copy the blobs of a stored net into the layers of equal name (the first of a name).

    Layers of the file that the net lacks are named in the log; layers of the net that the file lacks keep
    their
    values.  Every shape is checked before the first value is written.  Raises ShapeError.
    """
    pending = []
    for source in stored.layer:
        layer = next((layer for layer in net.layers if layer.name == source.name), None)
        if layer is None:
            log.info(f"Ignoring source layer {source.name}")
            continue
        with locate(f"layer {layer.name!r} ({layer.type})"):
            if len(source.blobs) != len(layer.params):
                raise ShapeError(f"{len(source.blobs)} blobs are stored for {len(layer.params)} parameters")
            for j, blob in enumerate(layer.params):
                with locate(f"parameter {j}"):
                    pending.append((stored_array(source.blobs, j, blob, len(layer.params)), blob))
    for host, blob in pending:
        net.device.put(host, blob.data)


def share(net: Net, source: Net) -> None:
    """Make net's parameters those of `source`, by layer name: same arrays, no copy.  Raises ShapeError."""
    for theirs in source.layers:
        layer = next((layer for layer in net.layers if layer.name == theirs.name), None)
        if layer is None:
            continue
        with locate(f"layer {layer.name!r} ({layer.type})"):
            if [p.shape for p in layer.params] != [p.shape for p in theirs.params]:
                raise ShapeError(
                    f"cannot share parameters of shapes {[p.shape for p in theirs.params]} "
                    f"as {[p.shape for p in layer.params]}"
                )
        for mine, other in zip(layer.params, theirs.params):
            mine.data = other.data


def to_message(net: Net, *, diff: bool = False) -> NetParameter:
    """The net as Caffe stores it: every layer as built (splits too), with its parameters as `blobs`."""
    message = NetParameter(name=net.name)
    for layer in net.layers:
        entry = message.layer.add()
        entry.CopyFrom(layer.param)
        entry.phase = layer.phase
        if layer.loss_weight and not entry.loss_weight:  # a loss states its weight
            entry.loss_weight.append(layer.loss_weight)
        del entry.blobs[:]
        for blob in layer.params:
            arrays = [net.device.get(a) for a in ((blob.data, blob.diff) if diff else (blob.data,))]
            entry.blobs.append(binary.from_array(*(np.asarray(a) for a in arrays)))
    return message
