"""The device's share of an update: passes, verdict, update; on a GPU graphs, launched and not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import proxy

import numpy as np

from ..kernels import update
from ..net import Position
from ..net.captured import Captured

if TYPE_CHECKING:
    from .solver import Solver

UNCHECKED = 100  # iterations that may be under way before the host looks whether all went well


class Begun(NamedTuple):
    """What an iteration began from, beside the parameters."""

    iteration: int
    position: Position
    current_step: int  # of the policy


class Iteration:
    """The parts of an iteration.

    passes   clears the gradients, then iter_size times stages a batch and runs it forward and backward
    verdict  whether every gradient and loss so far was finite.  The device notes it behind the passes
             (judge) and makes no update from the first on that was not: the host need not look every time
    update   clipping by the global norm, division by iter_size, weight decay, the solver's rule

    begun    the iterations that nobody has looked at, oldest first
    """

    def __init__(self, solver: Solver) -> None:
        self.solver: Solver = proxy(solver)  # it owns this
        self.net, self.device = solver.net, solver.device
        self.k = self.device.bind(update)
        parameters = self.net.parameters
        self.hyper = self.device.zeros((update.HYPER,))
        self.settings, self.findings = self.hyper[: update.SETTINGS], self.hyper[update.SETTINGS :]
        self.partial = self.device.zeros((-(-parameters.size // update.CHUNK),))
        self.begun: list[Begun] = []
        losses = zip(self.net.tops, self.net.loss_weights)
        self.losses = [blob for tops, weights in losses for blob, weight in zip(tops, weights) if weight]
        net = self.net
        self._first, self._further = (
            Captured(net.executor, self._run_first),
            Captured(net.executor, self._run_pass),
        )
        self._judge = Captured(net.executor, self._run_judge)
        self._update = {
            True: Captured(net.executor, self._run_update),
            False: Captured(net.executor, self._run_unjudged),
        }
        self.follow()

    def follow(self) -> None:
        """Take over what the solver's parameters say now."""
        param, size = self.solver.param, self.net.parameters.size
        self.clip = param.clip_gradients
        # What snapshot_diff stores is the update, as in Caffe: the parameters from before it are kept.
        self.before = self.device.empty((size,)) if param.snapshot_diff else None
        self.forget()

    @property
    def guarded(self) -> bool:
        return self.solver.nonfinite_effect != "none"

    # -- the parts

    def begin(self) -> None:
        """Remember where an iteration begins, if it may have to be repeated."""
        if self.guarded:
            solver = self.solver
            self.begun.append(Begun(solver.iteration, self.net.position, solver.policy.current_step))

    def passes(self, *, read: bool) -> float:
        """The passes; returns the mean of their losses if it is read, else 0."""
        count, total = self.solver.param.iter_size, 0.0
        for number in range(count):
            self.net.stage()
            (self._further if number else self._first)()
            if read or self.device.synchronous:
                self.net.verify()
            if read:
                total += self.net.loss()
        if self.guarded and count > 1:
            self._judge()
        return total / count

    def verdict(self) -> Begun | None:
        """Look: None if all went well, else the first iteration that did not.  Nothing is pending then."""
        if not self.begun:
            return None
        found = self.device.get(self.findings)
        bad = bool(found[update.HALT - update.SETTINGS])
        first = self.begun[int(found[update.GOOD - update.SETTINGS])] if bad else None
        self.drop()
        return first

    def drop(self) -> None:
        """Begin to look anew, from the next iteration on."""
        self.begun.clear()
        self.device.fill(self.findings, 0)

    def update(self, settings: np.ndarray, *, judged: bool) -> None:
        """The update, from hyper's first entries; `judged`: the squares of this gradient are summed."""
        self.device.put(settings, self.settings)
        self._update[judged]()

    def norm(self) -> float:
        """The gradient's, that the last update clipped by."""
        return float(self.device.get(self.hyper)[update.NORM])

    # -- what is launched

    def _run_first(self) -> None:
        self.net.clear_param_diffs()
        self._run_pass()
        if self.guarded and self.solver.param.iter_size == 1:  # one graph instead of two
            self._run_judge()

    def _run_pass(self) -> None:
        self.net.run_forward()
        if self.guarded:
            for blob in self.losses:
                self.k.note_nonfinite(blob.data, self.hyper, blob.count)
        self.net.run_backward()

    def _run_judge(self) -> None:
        self._sum_squares()
        self.k.judge(self.partial, self.hyper, self.partial.size)

    def _run_unjudged(self) -> None:
        self._sum_squares()
        self._run_update()

    def _run_update(self) -> None:
        solver, parameters = self.solver, self.net.parameters
        if self.clip >= 0:
            passes = solver.param.iter_size
            self.k.clip_scale(self.partial, self.hyper, self.partial.size, self.clip, passes)
        if self.before is not None:
            self.device.copy(parameters.data, self.before)
        solver.apply(parameters.data, parameters.diff, solver.history, self.hyper)
        if self.before is not None:
            solver.store_update(self.before)

    def _sum_squares(self) -> None:
        diff = self.net.parameters.diff
        self.k.square_sums(diff, self.partial, diff.size)

    def forget(self) -> None:
        """What is launched has changed: capture it anew."""
        for part in (self._first, self._further, self._judge, *self._update.values()):
            part.forget()
