"""plateau, of lr_policy: "plateau": a lower rate when tests get no better."""

from __future__ import annotations

from collections.abc import Sequence

from ... import log
from ...errors import ConfigError
from ...log import number
from ...net import Net
from ...proto.schema import SolverParameter
from ..callbacks import Callback
from .early_stop import patience
from .watch import Watch


class Plateau(Callback):
    """Multiplies the rate by gamma once the watched output has not been better for `patience` tests in a row,
    and again after each `patience` further ones.  How often it did is the policy's current_step."""

    may_lag = True
    key = "plateau"

    def __init__(self, param: SolverParameter, test_nets: Sequence[Net]) -> None:
        if param.lr_policy != "plateau":
            raise ConfigError('plateau is set, but lr_policy is not "plateau"', field="plateau")
        if not param.HasField("plateau"):
            hint = 'plateau { output: "loss" patience: 5 }'
            raise ConfigError('lr_policy "plateau" needs plateau', hint=hint, field="lr_policy")
        self.watch = Watch(param, test_nets, self.key)
        self.patience = patience(param, self.key)

    def on_test(self, solver, results) -> None:
        if not self.watch.better(solver.iteration, results) and self.watch.since >= self.patience:
            solver.policy.current_step += 1
            rate = number(solver.policy.rate(solver.iteration))
            log.info(f"Plateau: for {self.watch.since} tests {self.watch}; lr = {rate}")
            self.watch.since = 0

    def state(self):
        return self.watch.state()

    def restore(self, solver, state, stored) -> None:
        self.watch.restore(state)
