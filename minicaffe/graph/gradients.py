"""Which layers run backward, and for which bottoms and parameters: Caffe's analysis, stated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, in_layer
from .wiring import Node


@dataclass
class Backward:
    """What one layer's backward computes."""

    runs: bool
    propagate: list[bool]  # per bottom
    params: list[bool]  # per parameter


def analyse(
    nodes: Sequence[Node], lr_mults: Sequence[Sequence[float]], losses: Sequence[Sequence[float]], force: bool
) -> list[Backward]:
    """The backward pass of a net.

    lr_mults[i][j]  learning-rate multiplier of parameter j of layer i; 0 means that no gradient is needed
    losses[i][j]    loss weight of top j of layer i
    force           force_backward: every layer runs, for every bottom and parameter that has a gradient

    Raises ConfigError where a gradient is needed by a bottom that has none (a label behind learnable layers),
    or comes to a top that passes none back (the last state of a recurrent layer).
    """
    result = []
    needs: dict[int, bool] = {}  # blob -> its gradient leads to something learnable
    for node, mults in zip(nodes, lr_mults):
        propagate = [needs.get(blob, False) for blob in node.bottoms]
        asked = list(node.param.propagate_down)
        if asked and len(asked) != len(node.bottoms):
            with in_layer(node.param):
                raise ConfigError(f"propagate_down has {len(asked)} entries for {len(node.bottoms)} bottoms")
        reaches = any(mults) or any(propagate)
        for i, blob in enumerate(node.tops):
            needs[blob] = reaches and i not in node.kind.stepwise_tops
        result.append(Backward(reaches, asked or propagate, [bool(m) for m in mults]))
    _drop_what_no_loss_sees(nodes, losses, result)
    _check_detached(nodes, losses, result)
    if force:
        for node, backward in zip(nodes, result):
            backward.runs = not node.kind.source
            has_gradient = [node.kind.differentiable(i, node.param) for i in range(len(node.bottoms))]
            backward.propagate = [p or h for p, h in zip(backward.propagate, has_gradient)]
            backward.params = [True] * len(backward.params)
    for node, backward in zip(nodes, result):
        for i, wanted in enumerate(backward.propagate):
            if backward.runs and wanted and not node.kind.differentiable(i, node.param):
                with in_layer(node.param):
                    raise ConfigError(
                        f"bottom {i} {node.param.bottom[i]!r} needs a gradient; {node.param.type} has none",
                        hint="set propagate_down: false for it, or feed it from layers without parameters",
                    )
    return result


def _drop_what_no_loss_sees(
    nodes: Sequence[Node], losses: Sequence[Sequence[float]], result: Sequence[Backward]
) -> None:
    """From the last layer to the first: a layer runs backward only if a loss depends on one of its tops, and
    only if a consumer of its tops passes a gradient down to it."""
    under_loss: set[int] = set()
    cut: set[int] = set()
    for node, weights, backward in reversed(list(zip(nodes, losses, result))):
        seen = any(weights) or any(blob in under_loss for blob in node.tops)
        if not seen or all(blob in cut for blob in node.tops):
            backward.runs = False
        if not backward.runs:
            backward.propagate = [False] * len(node.bottoms)
        if seen:
            under_loss.update(node.bottoms)
        cut.update(blob for blob, passes in zip(node.bottoms, backward.propagate) if not passes)


def _check_detached(
    nodes: Sequence[Node], losses: Sequence[Sequence[float]], result: Sequence[Backward]
) -> None:
    """Refuse a gradient that goes down to a detached top of a layer, or starts there."""
    asked = {blob for n, back in zip(nodes, result) for blob, goes in zip(n.bottoms, back.propagate) if goes}
    for node, weights, backward in zip(nodes, losses, result):
        for i, blob in enumerate(node.tops):
            if i in node.kind.detached_tops and (blob in asked or (backward.runs and weights[i])):
                with in_layer(node.param):
                    raise ConfigError(
                        f"top {i} {node.param.top[i]!r} passes no gradient back, and one comes to it",
                        hint="set propagate_down: false in the layers that read it, or read another top",
                    )
