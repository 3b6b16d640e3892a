"""How large updates are beside what they change: near 1/1000 a parameter learns steadily."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MiniCaffeError
from ..net import Net
from ..proto import upgrade
from ..solvers import snapshot
from ..solvers.policy import Policy

KEPT = ("SGD", "")  # solver types whose history is the last update


class Updates:
    """What a run's solver does to parameters.

    rate       the learning rate at the snapshot; None where it cannot be told
    iteration  of the snapshot; None likewise
    """

    def __init__(self, solver: str, state: str, net: Net) -> None:
        self.rate: float | None = None
        self.iteration: int | None = None
        self._history: list[np.ndarray] = []
        self._owned = net.parameters.owned
        self._net = net
        if not (solver and state):
            return
        try:
            param, stored = upgrade.read_solver(solver), snapshot.read_state(state)
            policy = Policy(param)
            policy.current_step, self.iteration = stored.current_step, stored.iteration
            self.rate = policy.rate(stored.iteration)
        except MiniCaffeError:  # the weights can be looked at without
            return
        fits = len(stored.history) == len(self._owned) and all(
            h.size == owned.blob.count for h, owned in zip(stored.history, self._owned)
        )
        if param.type in KEPT and fits:
            self._history = stored.history

    def of(self, layer: int, index: int, values: np.ndarray, diff: np.ndarray | None) -> dict[str, Any]:
        """Norms of a parameter and of its gradient; the rate times the gradient, and the last update of
        training, as shares of the parameter.  What is not known is None."""
        norm, part = _norm(values), self._net.layers[layer]
        specs = part.param.param
        mult = specs[index].lr_mult if index < len(specs) else 1.0
        found: dict[str, Any] = {
            "norm": norm,
            "lr_mult": mult,
            "diff_norm": None,
            "step": None,
            "update": None,
        }
        if diff is not None:
            found["diff_norm"] = _norm(diff)
            if self.rate is not None and norm:
                found["step"] = self.rate * mult * _norm(diff) / norm
        blob = part.params[index]
        for owned, history in zip(self._owned, self._history):
            if owned.blob is blob and norm:
                found["update"] = _norm(history) / norm
        return found


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.reshape(-1).astype(np.float64)))
