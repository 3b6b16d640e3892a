"""Small graphs for the tests of this folder, of layers that are nothing but facts."""

from __future__ import annotations

from collections.abc import Sequence

from minicaffe.core.layer import Layer
from minicaffe.graph.gradients import Backward
from minicaffe.graph.program import Program, Step
from minicaffe.graph.wiring import Graph, wire

from .test_splits import net


class Source(Layer):
    bottoms, tops, source = 0, (1, None), True


class Op(Layer):
    bottoms, tops = (1, None), (1, None)
    backward_reads = frozenset({"bottom.data"})


class Squash(Op):
    backward_reads = frozenset({"top.data"})
    in_place_ok = True


class Rectify(Op):
    backward_reads = frozenset({"top.sign"})
    in_place_ok = keeps_sign = True


class View(Layer):
    """Its tops share the memory of its bottom: Split, Flatten."""

    bottoms, tops = 1, (1, None)
    backward_reads = frozenset()


class Sink(Layer):
    bottoms, tops = (1, None), 0
    backward_reads = frozenset()


class Pick(Op):
    """Values, and where they stood."""

    stepwise_tops = frozenset({1})


class ALoss(Op):
    auto_top, loss_weight = True, 1.0
    not_differentiable = frozenset({1})


KINDS = {
    "Input": Source,
    "Op": Op,
    "Pick": Pick,
    "Squash": Squash,
    "Rectify": Rectify,
    "Sink": Sink,
    "View": View,
    "Loss": ALoss,
}


def graph(*layers: str) -> Graph:
    """Layers as in test_splits.net, with the type in front: 'Op ip: data > ip'."""
    kinds, plain = zip(*[layer.split(" ", 1) for layer in layers])
    param = net(*plain)
    for layer, kind in zip(param.layer, kinds):
        layer.type = kind
    return wire(param, KINDS.__getitem__)


def losses(g: Graph) -> list[list[float]]:
    """Loss weights per layer: 1 for the first top of a Loss, or what the layer says."""
    found = []
    for node in g.nodes:
        default = [node.kind.loss_weight] + [0.0] * len(node.tops)
        found.append(list(node.param.loss_weight) or default[: len(node.tops)])
    return found


def program(g: Graph, backward: Sequence[Backward]) -> Program:
    """One step per layer."""
    steps = [
        Step(
            i,
            node.kind(node.param, None, 0),
            tuple(node.bottoms),
            tuple(node.tops),
            computes,
            tuple(weights),
            reads,
        )
        for i, (node, computes, weights, reads) in enumerate(
            zip(g.nodes, backward, losses(g), [node.kind.backward_reads for node in g.nodes])
        )
    ]
    return Program(tuple(steps), tuple(g.blob_names), tuple(g.inputs), tuple(g.outputs))
