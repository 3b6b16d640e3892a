"""Which axes of an ONNX file are free: those that differ in the same net with another extent there."""

from __future__ import annotations

from typing import Any

from ...errors import ConfigError, MiniCaffeError, Place, in_layer
from ...net import Net
from ...proto.schema import NetParameter
from .model import BATCH
from .rules import FOUND
from .translate import Translation

MORE_FOUND = 7  # rows: another step than the batch's, which is 1


def other_extents(param: NetParameter, net: Net, *, free_batch: bool) -> Net | None:
    """The same net without memory, one item more in its batch if that is free, and more rows of whatever
    values decide how many there are of; None if nothing is free.

    Raises ConfigError, or what a layer raises, with a hint, for a net that has one extent alone.
    """
    if not free_batch and not any(layer.settles for layer in net.layers):
        return None
    larger = NetParameter()
    larger.CopyFrom(param)
    hint = "the net fits a fixed number of what is found alone"
    if free_batch:
        hint = f"the net fits its batch of {batch_of(net)} alone: export it without a free batch"
        for layer in larger.layer:
            for shape in layer.input_param.shape:
                if layer.type == "Input" and shape.dim and shape.dim[0] == batch_of(net):
                    shape.dim[0] += 1
    try:
        other = Net(larger, source=net.source, allocate=False, forward_only=True)
        _lengthen(other)
    except MiniCaffeError as error:
        error.hint = hint
        raise
    for mine, theirs in zip(net.layers, other.layers):
        if [blob.shape for blob in mine.params] != [blob.shape for blob in theirs.params]:
            raise ConfigError(f"the parameters of {Place.of(mine)} go with the batch", hint=hint)
    return other


def _lengthen(net: Net) -> None:
    """Let more rows than are known before a pass go through the net."""
    settled = False
    for layer, node, bottom, top in zip(net.layers, net.graph.nodes, net.bottoms, net.tops):
        if settled:
            layer.buffers.clear()
            with in_layer(node.param):
                layer.reshape(bottom, top)
        if layer.settles:
            settled, axis = True, FOUND.get(layer.type, 0)
            for blob in top:
                shape = list(blob.shape)
                shape[axis] += MORE_FOUND
                blob.reshape(*shape)


def batch_of(net: Net) -> int:
    """The first axis of the first input."""
    shapes = [net.blobs[name].shape for name in net.inputs]
    if not shapes or not shapes[0]:
        raise ConfigError("the net has no input with a batch", hint="export it without a free batch")
    return shapes[0][0]


def sizes(made: Translation, net: Net, other: Net | None) -> dict[Any, tuple[Any, ...]]:
    """The shapes of inputs and outputs: free axes by name, or None where they only go with the batch or with
    what is found."""
    found: dict[Any, tuple[Any, ...]] = {}
    named = [(tensor, tensor.name) for tensor in made.graph.inputs]
    named += [(tensor, blob.name) for tensor, blob in zip(made.graph.outputs, made.outputs)]
    for tensor, name in named:
        shape = net.blobs[name].shape
        like = other.blobs[name].shape if other else shape
        found[tensor] = tuple(
            a if a == b else BATCH if b == a + 1 and a == batch_of(net) else None for a, b in zip(shape, like)
        )
    return found
