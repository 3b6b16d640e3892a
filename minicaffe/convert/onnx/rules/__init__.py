"""How every layer type is written: a rule takes the layer's Draft and returns the tensors of its tops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....core.layer import Layer
from ..graph import Draft, Tensor
from . import (
    detection,
    flow,
    linear,
    neuron,
    norm,
    pooling,
    proposals,
    recurrent,
    regions,
    shape,
    vision,
    yolo,
)

Rule = Callable[[Draft], Tensor | Sequence[Tensor]]

MODULES = (
    detection, flow, linear, neuron, norm, pooling, proposals, recurrent, regions, shape, vision, yolo
)  # fmt: skip
RULES: dict[str, Rule] = {kind: rule for module in MODULES for kind, rule in module.RULES.items()}
# Of Python layers that are built in, by the name of their class.
PYTHON: dict[str, Rule] = {"ProposalLayer": proposals.proposal_layer}
# The axis of the tops that is as long as what is found; 0 for other layers whose shapes only values tell.
FOUND = dict.fromkeys((*detection.RULES, *yolo.RULES), 2)


def rule_of(layer: Layer) -> Rule | None:
    """How a layer is written; None if no rule says."""
    return PYTHON.get(type(layer).__name__) if layer.type == "Python" else RULES.get(layer.type)
