"""How every layer type is written: a rule takes the layer's Draft and returns the tensors of its tops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph import Draft, Tensor
from . import linear, neuron, norm, pooling, recurrent, shape, vision

Rule = Callable[[Draft], Tensor | Sequence[Tensor]]

MODULES = (linear, neuron, norm, pooling, recurrent, shape, vision)
RULES: dict[str, Rule] = {kind: rule for module in MODULES for kind, rule in module.RULES.items()}
