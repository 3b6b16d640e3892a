"""What a net costs: per layer shapes, parameters and multiply-adds, as the layers say; in all, bytes by
purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..graph.splits import is_automatic
from ..net import Net


class LayerCost(NamedTuple):
    """tops: shapes; parameters: how many, shared ones too; multiply_adds: of forward, None if unknown."""

    name: str
    type: str
    tops: list[tuple[int, ...]]
    parameters: int
    multiply_adds: int | None


class Bytes(NamedTuple):
    """Bytes by purpose.

    parameters, gradients, history   the flat blocks; history is the solver's
    data, diff, saved                what blobs and saved buffers would take if each had memory of its own
    own                              of these, what does have it: batches, losses
    planned                          the arena in which all others share memory; it is at least `floor`
    total                            what training or testing takes: the blocks, own, planned.  Working
                                     memory of single kernels comes on top
    """

    parameters: int
    gradients: int
    history: int
    data: int
    diff: int
    saved: int
    own: int
    planned: int
    floor: int

    @property
    def total(self) -> int:
        return self.parameters + self.gradients + self.history + self.own + self.planned


def per_layer(net: Net, types: Sequence[str]) -> list[LayerCost]:
    """Every layer of the file, so without automatic Splits; `types` are those of the file, as data layers may
    have been replaced."""
    names = iter(types)
    return [
        LayerCost(
            layer.name,
            next(names),
            [top.shape for top in tops],
            sum(blob.count for blob in layer.params),
            layer.forward_operations(bottoms, tops),
        )
        for layer, bottoms, tops in zip(net.layers, net.bottoms, net.tops)
        if not is_automatic(layer.param)
    ]


def of_backward(net: Net) -> int:
    """The multiply-adds of the backward pass, without those of layers that do not tell."""
    layers = zip(net.layers, net.bottoms, net.tops, net.gradients)
    return sum(
        layer.backward_operations(bottoms, tops, wanted.propagate, wanted.params) or 0
        for layer, bottoms, tops, wanted in layers
        if wanted.runs
    )


def memory(net: Net, slots: int = 0) -> Bytes:
    """The bytes of a net whose solver keeps `slots` history arrays."""
    block = net.parameters.size * net.device.dtype.itemsize
    pieces = [*net.memory.own, *net.memory.shared]
    kinds = {
        kind: sum(p.buffer.nbytes for p in pieces if p.key[0] == kind) for kind in ("data", "diff", "saved")
    }
    plan = net.memory.plan
    planned, floor = (plan.nbytes, plan.floor) if plan else (0, 0)
    own = sum(p.buffer.nbytes for p in net.memory.own)
    gradients = 0 if net.forward_only else block
    return Bytes(block, gradients, slots * block, **kinds, own=own, planned=planned, floor=floor)
