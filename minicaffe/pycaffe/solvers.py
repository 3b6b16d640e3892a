"""caffe.SGDSolver and the others, around the engine's solvers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..proto import upgrade
from ..solvers.callbacks import Callback
from ..solvers.solver import Solver as EngineSolver
from . import modes
from .errors import check_file
from .net import Net


class Solver:
    """A solver whose nets can be read and written between steps.

    solver_file  a solver prototxt; solver_mode in it means nothing, caffe.set_mode_gpu does.  A class named
                 after an update rule uses that rule whatever the file says

    net, test_nets  the nets.  Test nets use the training net's parameters from the beginning
    iter            updates made
    param           the SolverParameter; what is set in it (max_iter, display, base_lr) counts from now on,
                    or, if the nets were made from it, is refused by the next step
    lr              the learning rate of the next update

    After step and apply_update parameter diffs hold the gradient, where Caffe leaves the update.  A loss or a
    gradient that is not finite raises NonFiniteError, where Caffe trains on.
    """

    rule = ""  # SolverParameter.type; empty for what the file says

    def __init__(self, solver_file: str | os.PathLike) -> None:
        path = check_file(solver_file)
        param = upgrade.read_solver(path)
        param.type = self.rule or param.type
        seed = modes.next_seed() if param.random_seed < 0 else None
        if seed is not None:
            param.random_seed = seed
        self._shared = shared = modes.shared_device()
        with shared.turn:
            self._solver = EngineSolver.create(param, source=path, device=shared.device, keep="all")
        self._net = Net._around(self._solver.net, shared)
        self._test_nets = [Net._around(net, shared) for net in self._solver.test_nets]

    @property
    def net(self) -> Net:
        return self._net

    @property
    def test_nets(self) -> list[Net]:
        return self._test_nets

    @property
    def iter(self) -> int:
        return self._solver.iteration

    @property
    def type(self) -> str:
        """The update rule."""
        return self._solver.rule.type

    @property
    def param(self) -> Any:
        return self._solver.param

    @property
    def lr(self) -> float:
        self._solver.follow()
        return self._solver.policy.rate(self._solver.iteration)

    def step(self, iterations: int) -> None:
        """Make so many updates, with the tests, displays and snapshots that are due; the smoothed loss starts
        anew."""
        self._solver.losses.clear()
        with self._shared.passing():
            self._solver.step(iterations)

    def solve(self, resume_file: str | os.PathLike | None = None) -> None:
        """Train to max_iter, from a solver state if one is given."""
        self._solver.losses.clear()
        with self._shared.passing():
            self._solver.solve(None if resume_file is None else check_file(resume_file))

    def apply_update(self) -> None:
        """Turn the gradients in the parameters' diffs into an update, and count it; no pass is run."""
        with self._shared.passing():
            self._solver.apply_update()

    def snapshot(self) -> None:
        """Write the weights and the solver state, <snapshot_prefix>_iter_<iter>.*"""
        with self._shared.passing():
            self._solver.snapshot()

    def restore(self, state_file: str | os.PathLike) -> None:
        """Go on from a solver state."""
        with self._shared.passing():
            self._solver.restore(check_file(state_file))

    def share_weights(self, net: Net) -> None:
        """Let another net use the parameters of the training net, by layer name."""
        net.share_with(self.net)

    def add_callback(
        self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object] | None = None
    ) -> None:
        """Call on_start() before the passes of every iteration, and on_gradients_ready() between its passes
        and its update; it may change the gradients."""
        if not callable(on_start) or not callable(on_gradients_ready):
            given = f"{on_start!r} and {on_gradients_ready!r}"
            raise ConfigError(
                f"add_callback takes the functions on_start and on_gradients_ready; got {given}"
            )
        self._solver.callbacks.append(Told(self._shared, on_start, on_gradients_ready))


class Told(Callback):
    """Passes the engine's events on to two functions."""

    def __init__(self, shared: modes.SharedDevice, on_start: Callable, on_gradients_ready: Callable) -> None:
        self.shared = shared
        self.functions = on_start, on_gradients_ready

    def on_begin(self, solver) -> None:
        with self.shared.looking():
            self.functions[0]()

    def on_gradients(self, solver) -> bool:
        with self.shared.looking():
            self.functions[1]()
        return True


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    rule = "SGD"


class NesterovSolver(Solver):
    """Nesterov's accelerated gradient."""

    rule = "Nesterov"


class AdaGradSolver(Solver):
    """AdaGrad."""

    rule = "AdaGrad"


class RMSPropSolver(Solver):
    """RMSProp."""

    rule = "RMSProp"


class AdaDeltaSolver(Solver):
    """AdaDelta."""

    rule = "AdaDelta"


class AdamSolver(Solver):
    """Adam."""

    rule = "Adam"


_BY_RULE = {
    kind.rule: kind
    for kind in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(solver_file: str | os.PathLike) -> Solver:
    """The solver of the type that the file names."""
    return _BY_RULE.get(upgrade.read_solver(check_file(solver_file)).type, Solver)(solver_file)
