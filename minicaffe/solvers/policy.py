"""Learning-rate policies: the rate as a function of the iteration.

fixed      base_lr
step       base_lr * gamma ^ floor(iter / stepsize)
exp        base_lr * gamma ^ iter
inv        base_lr * (1 + gamma * iter) ^ -power
multistep  base_lr * gamma ^ s, where s counts the stepvalues passed; at most one more per iteration
poly       base_lr * (1 - iter / max_iter) ^ power
sigmoid    base_lr / (1 + exp(-gamma * (iter - stepsize)))

Extensions:

cosine     min_lr + (base_lr - min_lr) * (1 + cos(pi * iter / max_iter)) / 2
plateau    base_lr * gamma ^ s, but not below min_lr, where s counts how often tests got no better
warm_up    before iteration `iterations` any of these times start + (1 - start) * (iter + 1) / iterations
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import log
from ..errors import ConfigError, UnknownTypeError, suggest
from ..proto.schema import Message


class Policy:
    """The learning rate of a solver.

    current_step  the state of multistep and plateau (and of step, for the record), kept in snapshots;
                  `advance` moves it on, asking for the rate does not
    factor        what the rate is multiplied by: 1 until somebody sets the rate by hand

    Raises UnknownTypeError or ConfigError for a policy that is unknown, or lacks a field it needs.
    """

    def __init__(self, param: Message) -> None:
        self.param = param
        self.current_step = 0
        self.factor = 1.0
        name = param.lr_policy
        if name not in POLICIES:
            what = f"no learning-rate policy {name!r}" if name else "lr_policy is not set"
            raise UnknownTypeError(what, hint=suggest(name, POLICIES), field="lr_policy")
        self.formula, needs = POLICIES[name]
        for field in needs:
            value, least = getattr(param, field), "of at least 0" if field == "gamma" else "above 0"
            if field == "max_iter" and param.HasField(field) and value == 0:
                continue  # no update is to be made
            if value < 0 or (value == 0 and field != "gamma"):
                raise ConfigError(f"lr_policy {name!r} needs {field} {least}; got {value:g}", field=field)
        if param.min_lr < 0:
            raise ConfigError(f"min_lr must be at least 0; got {param.min_lr:g}", field="min_lr")
        warm_up = param.warm_up
        if param.HasField("warm_up") and warm_up.iterations < 1:
            raise ConfigError("warm_up needs iterations above 0", field="warm_up")
        if warm_up.start < 0:
            what = f"warm_up.start must be at least 0; got {warm_up.start:g}"
            raise ConfigError(what, field="warm_up.start")

    def rate(self, iteration: int) -> float:
        """The rate for the update that turns `iteration` into `iteration` + 1."""
        rate = self.formula(self, iteration) * self.factor
        length = self.param.warm_up.iterations
        if iteration < length:
            start = self.param.warm_up.start
            rate *= start + (1 - start) * (iteration + 1) / length
        return rate

    def advance(self, iteration: int) -> None:
        """Note that the update of `iteration` is made."""
        step = self._step_at(iteration)
        if self.param.lr_policy == "multistep" and step > self.current_step:
            log.info(f"MultiStep Status: Iteration {iteration}, step = {step}")
        self.current_step = step

    def set_rate(self, iteration: int, rate: float) -> None:
        """Make the rate for `iteration` this one; later ones keep their proportion to it.  ConfigError if
        the policy has come to 0, which no factor changes."""
        before = self.rate(iteration)
        if not before:
            raise ConfigError(f"lr_policy {self.param.lr_policy!r} has come to rate 0, which stays 0")
        self.factor *= rate / before

    def _step_at(self, i: int) -> int:
        """current_step at iteration i, the next to be made."""
        if self.param.lr_policy == "step":
            return i // self.param.stepsize
        values, step = self.param.stepvalue, self.current_step
        passed = self.param.lr_policy == "multistep" and step < len(values) and i >= values[step]
        return step + passed

    def _stepwise(self, i: int) -> float:
        return self.param.base_lr * power(self.param.gamma, self._step_at(i))

    def _done(self, i: int) -> float:
        if not self.param.max_iter:
            what = f"lr_policy {self.param.lr_policy!r} has no rate where max_iter is 0"
            raise ConfigError(what, hint="set max_iter", field="max_iter")
        return i / self.param.max_iter

    def _poly(self, i: int) -> float:
        left = 1 - self._done(i)
        return self.param.base_lr * power(max(left, 0.0), self.param.power)

    def _sigmoid(self, i: int) -> float:
        exponent = -self.param.gamma * (i - self.param.stepsize)
        return self.param.base_lr / (1 + math.exp(min(exponent, 700.0)))

    def _cosine(self, i: int) -> float:
        low, done = self.param.min_lr, min(self._done(i), 1.0)
        return low + (self.param.base_lr - low) * (1 + math.cos(math.pi * done)) / 2

    def _plateau(self, i: int) -> float:
        return max(self._stepwise(i), self.param.min_lr)


def power(base: float, exponent: float) -> float:
    """base ^ exponent, infinite where it is too large."""
    try:
        return base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.inf


POLICIES: dict[str, tuple[Callable[[Policy, int], float], tuple[str, ...]]] = {
    "fixed": (lambda self, i: self.param.base_lr, ()),
    "step": (Policy._stepwise, ("stepsize", "gamma")),
    "exp": (lambda self, i: self.param.base_lr * power(self.param.gamma, i), ("gamma",)),
    "inv": (
        lambda self, i: self.param.base_lr * power(1 + self.param.gamma * i, -self.param.power),
        ("gamma",),
    ),
    "multistep": (Policy._stepwise, ("gamma",)),
    "poly": (Policy._poly, ("max_iter",)),
    "sigmoid": (Policy._sigmoid, ("gamma", "stepsize")),
    "cosine": (Policy._cosine, ("max_iter",)),
    "plateau": (Policy._plateau, ("gamma",)),
}
