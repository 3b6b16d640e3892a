"""Learning-rate policies: the rate as a function of the iteration.

fixed      base_lr
step       base_lr * gamma ^ floor(iter / stepsize)
exp        base_lr * gamma ^ iter
inv        base_lr * (1 + gamma * iter) ^ -power
multistep  base_lr * gamma ^ s, where s counts the stepvalues passed; at most one more per iteration
poly       base_lr * (1 - iter / max_iter) ^ power
sigmoid    base_lr / (1 + exp(-gamma * (iter - stepsize)))
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import log
from ..errors import ConfigError, UnknownTypeError, suggest
from ..proto.schema import Message


class Policy:
    """The learning rate of a solver.  `current_step` is the state of multistep (and of step, for the record),
    kept in snapshots.

    Raises UnknownTypeError or ConfigError for a policy that is unknown, or lacks a field it needs.
    """

    def __init__(self, param: Message) -> None:
        self.param = param
        self.current_step = 0
        name = param.lr_policy
        if name not in POLICIES:
            what = f"no learning-rate policy {name!r}" if name else "lr_policy is not set"
            raise UnknownTypeError(what, hint=suggest(name, POLICIES))
        self.formula, needs = POLICIES[name]
        if "stepsize" in needs and param.stepsize <= 0:
            raise ConfigError(f"lr_policy {name!r} needs stepsize above 0; got {param.stepsize}")
        if "gamma" in needs and param.gamma < 0:
            raise ConfigError(f"lr_policy {name!r} needs gamma of at least 0; got {param.gamma:g}")
        if "max_iter" in needs and param.max_iter <= 0:
            raise ConfigError(f"lr_policy {name!r} needs max_iter above 0; got {param.max_iter}")

    def rate(self, iteration: int) -> float:
        """The rate for the update that turns `iteration` into `iteration` + 1."""
        return self.formula(self, iteration)

    def _step(self, i: int) -> float:
        self.current_step = i // self.param.stepsize
        return self.param.base_lr * self.param.gamma**self.current_step

    def _multistep(self, i: int) -> float:
        values = self.param.stepvalue
        if self.current_step < len(values) and i >= values[self.current_step]:
            self.current_step += 1
            log.info(f"MultiStep Status: Iteration {i}, step = {self.current_step}")
        return self.param.base_lr * self.param.gamma**self.current_step

    def _poly(self, i: int) -> float:
        left = 1 - i / self.param.max_iter
        return self.param.base_lr * max(left, 0.0) ** self.param.power

    def _sigmoid(self, i: int) -> float:
        exponent = -self.param.gamma * (i - self.param.stepsize)
        return self.param.base_lr / (1 + math.exp(min(exponent, 700.0)))


POLICIES: dict[str, tuple[Callable[[Policy, int], float], tuple[str, ...]]] = {
    "fixed": (lambda self, i: self.param.base_lr, ()),
    "step": (Policy._step, ("stepsize", "gamma")),
    "exp": (lambda self, i: self.param.base_lr * self.param.gamma**i, ("gamma",)),
    "inv": (lambda self, i: self.param.base_lr * (1 + self.param.gamma * i) ** -self.param.power, ("gamma",)),
    "multistep": (Policy._multistep, ("gamma",)),
    "poly": (Policy._poly, ("max_iter",)),
    "sigmoid": (Policy._sigmoid, ("gamma", "stepsize")),
}
