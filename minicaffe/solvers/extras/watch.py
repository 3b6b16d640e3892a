"""Watching an output of the tests: whether it is the best so far, and how many tests ago it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import ConfigError, suggest
from ...log import number
from ...net import Net
from ...proto.schema import Message, SolverParameter
from ..callbacks import Results
from ..runstate import integer
from ..runstate import number as number_of


class Watch:
    """An output of a test net, as `field` of the SolverParameter, a WatchParameter, describes it.

    best    its best value so far, None before the first; of an output with several elements their mean
    at      the iteration of the best
    since   tests since then

    NaN is never the best.  Raises ConfigError if there is no such output.
    """

    def __init__(self, param: SolverParameter, tests: Sequence[Net], field: str) -> None:
        conf: Message = getattr(param, field)
        if not conf.output:
            raise ConfigError(f'{field} needs an output, as in {field} {{ output: "accuracy" }}', field=field)
        if not 0 <= conf.test_net < len(tests):
            what = f"there are {len(tests)}" if tests else "there is none; set test_iter and test_interval"
            raise ConfigError(f"{field} watches test net #{conf.test_net}: {what}", field=field)
        if not param.test_iter[conf.test_net]:
            what = f"{field} watches test net #{conf.test_net}, whose test_iter is 0"
            raise ConfigError(what, hint="a test needs a batch", field="test_iter")
        net = tests[conf.test_net]
        if conf.output not in net.outputs:
            raise ConfigError(
                f"{field}: test net #{conf.test_net} has no output {conf.output!r}",
                hint=suggest(conf.output, net.outputs),
                field=f"{field}.output",
            )
        self.conf = conf
        down = conf.goal == conf.MIN if conf.HasField("goal") else bool(net.loss_weight(conf.output))
        self.sign = -1 if down else 1
        self.best: float | None = None
        self.at = 0
        self.since = 0

    def better(self, iteration: int, results: Results) -> bool:
        """Take in the results of a test; returns whether the output is the best so far."""
        values = results[self.conf.test_net][self.conf.output]
        value = sum(values) / len(values)
        ahead = self.best is None or self.sign * (value - self.best) > self.conf.min_delta
        if ahead and not math.isnan(value):
            self.best, self.at, self.since = value, iteration, 0
            return True
        self.since += 1
        return False

    def is_best_at(self, iteration: int) -> bool:
        """Whether the test at this iteration was the best so far."""
        return self.best is not None and self.at == iteration

    def __str__(self) -> str:
        if self.best is None:
            return f"{self.conf.output} has no value for {self.since} tests"
        return f"{self.conf.output} is not better than {number(self.best)}, of iteration {self.at}"

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "at": self.at, "since": self.since}

    def restore(self, state: dict[str, Any]) -> None:
        best = None if state["best"] is None else number_of(state["best"])
        self.best, self.at, self.since = best, integer(state["at"]), integer(state["since"])
