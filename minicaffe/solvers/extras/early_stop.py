"""early_stop: an end before max_iter when tests get no better."""

from __future__ import annotations

from collections.abc import Sequence

from ... import log
from ...errors import ConfigError
from ...net import Net
from ...proto.schema import SolverParameter
from ..callbacks import Callback
from .watch import Watch


class EarlyStop(Callback):
    """Asks for a stop once the watched output has not been better for `patience` tests in a row.  The run
    then ends as on a signal: with a snapshot, if snapshot_after_train says so."""

    may_lag = True
    key = "early_stop"

    def __init__(self, param: SolverParameter, test_nets: Sequence[Net]) -> None:
        self.watch = Watch(param, test_nets, self.key)
        self.patience = patience(param, self.key)

    def on_start(self, solver) -> None:
        """A run that is resumed after the deciding test ends there too."""
        self._decide(solver)

    def on_test(self, solver, results) -> None:
        self.watch.better(solver.iteration, results)
        self._decide(solver)

    def _decide(self, solver) -> None:
        if self.watch.since >= self.patience and solver.iteration < solver.param.max_iter:
            log.info(f"Early stop: for {self.watch.since} tests {self.watch}")
            solver.requests.append("stop")

    def state(self):
        return self.watch.state()

    def restore(self, solver, state, stored) -> None:
        self.watch.restore(state)


def patience(param: SolverParameter, field: str) -> int:
    """The patience of a WatchParameter; ConfigError unless it is at least 1."""
    value = getattr(param, field).patience
    if value < 1:
        raise ConfigError(f"{field}.patience must be at least 1; got {value}", field=f"{field}.patience")
    return value
