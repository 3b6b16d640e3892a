"""From a description to layers and the program that they are: everything is checked here, nothing runs
yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from .. import layers as layer_index
from ..core.blob import Blob
from ..core.layer import Layer
from ..core.randomness import Stream
from ..device.base import Device
from ..errors import in_layer
from ..graph import filter as rules
from ..graph.gradients import Backward, analyse
from ..graph.program import Program, Step
from ..graph.splits import insert_splits
from ..graph.wiring import Graph, check_in_place, loss_weights, wire
from ..proto.schema import NetParameter
from .parameters import specs


class Context(NamedTuple):
    """What layers are made with.

    device, seed, phase   of the net
    folder     of the net's file, None if it came from none
    allocate   False: nothing is filled, fetched or written
    reshaped   to be called when a blob gets another shape
    settle     to be called with a layer's index when it gave its tops other shapes in the middle of a pass
    """

    device: Device
    seed: int
    phase: int
    folder: str | None
    allocate: bool
    reshaped: Callable[[], None]
    settle: Callable[[int], None]


class Built(NamedTuple):
    """A net's parts.  param is its description with splits; bottoms, tops, backward and losses are per layer;
    a layer has the same index everywhere."""

    param: NetParameter
    graph: Graph
    blobs: list[Blob]
    layers: list[Layer]
    bottoms: list[list[Blob]]
    tops: list[list[Blob]]
    backward: list[Backward]
    losses: list[list[float]]

    def in_layer(self, i: int) -> AbstractContextManager[None]:
        """Errors inside come from layer i."""
        return in_layer(self.graph.nodes[i].param)

    def owners(self, kind: str) -> list[int]:
        """For each blob the index of the blob whose memory the layers let it use, for "data_of" or
        "diff_of"."""
        index = {id(blob): i for i, blob in enumerate(self.blobs)}
        return [index[id(getattr(blob, kind))] for blob in self.blobs]

    def program(self) -> Program:
        """The layers as they stand, one step each."""
        steps = tuple(
            Step(
                i, layer, tuple(node.bottoms), tuple(node.tops), backward, tuple(losses), layer.backward_reads
            )
            for i, (layer, node, backward, losses) in enumerate(
                zip(self.layers, self.graph.nodes, self.backward, self.losses)
            )
        )
        graph = self.graph
        return Program(steps, tuple(graph.blob_names), tuple(graph.inputs), tuple(graph.outputs))


def build(param: NetParameter, context: Context, *, forward_only: bool) -> Built:
    """The net that `param` describes in its own `state`, with all shapes settled and all facts checked.

    Raises what layers, wiring and the analysis of gradients raise, naming the layer.
    """
    param = insert_splits(rules.filter_net(param))
    graph = wire(param, layer_index.resolve, context.folder)
    blobs = [Blob(name, on_reshape=context.reshaped) for name in graph.blob_names]
    built = Built(param, graph, blobs, [], [], [], [], [])
    for i, node in enumerate(graph.nodes):
        built.bottoms.append([blobs[b] for b in node.bottoms])
        built.tops.append([blobs[t] for t in node.tops])
        with built.in_layer(i):
            layer = _make(node.kind, node.param, context, partial(context.settle, i))
            built.layers.append(layer)
            layer.check_counts(len(node.bottoms), len(node.tops))
            layer.setup(built.bottoms[i], built.tops[i])
            layer.reshape(built.bottoms[i], built.tops[i])
    lr_mults = []
    for i, layer in enumerate(built.layers):
        with built.in_layer(i):
            built.losses.append(loss_weights(graph.nodes[i], layer.loss_weight))
            lr_mults.append([spec.lr_mult for spec in specs(layer)])
    backward = analyse(graph.nodes, lr_mults, built.losses, param.force_backward)
    if forward_only:
        backward = [Backward(False, [False] * len(b.propagate), [False] * len(b.params)) for b in backward]
    built.backward.extend(backward)
    for layer, computes in zip(built.layers, backward):
        layer.param_gradient = computes.params
    reads = [layer.backward_reads for layer in built.layers]
    check_in_place(graph.nodes, reads, [b.runs for b in backward], built.owners("data_of"))
    return built


def _make(kind: type[Layer], param, context: Context, settle: Callable[[], None]) -> Layer:
    """A layer with all that it needs before its setup."""
    phase = param.phase if param.HasField("phase") else context.phase
    layer = kind(param, context.device, phase)
    layer.settle = settle
    layer.folder, layer.allocate = context.folder, context.allocate
    if layer.stochastic:
        layer.random = Stream(context.device, context.seed, layer.name)
    return layer
