"""The device's share of an iteration: passes, the verdict on them, the update.

On a GPU each of these is a captured unit, which is launched and not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..kernels import memory, update
from ..net import Net, Position
from ..net.captured import Captured
from ..proto.schema import Message
from .update_rules import UpdateRule


class Begun(NamedTuple):
    """What an iteration began from, beside the parameters."""

    iteration: int
    position: Position
    current_step: int  # of the policy


class StepSettings(NamedTuple):
    """The settings that are built into what is launched: when one changes, it is captured anew.

    passes        forward and backward passes in an iteration (iter_size)
    clip          the longest gradient that is taken as it is (clip_gradients), below 0 if all are
    l1            weight decay is by the sign of the parameters
    store_update  the update is left in the parameters' diffs (snapshot_diff)
    guarded       losses and gradients that are not finite are looked for
    """

    passes: int
    clip: float
    l1: bool
    store_update: bool
    guarded: bool

    @classmethod
    def of(cls, param: Message, *, guarded: bool) -> StepSettings:
        """Those of a SolverParameter."""
        l1 = param.regularization_type == "L1"
        return cls(param.iter_size, param.clip_gradients, l1, param.snapshot_diff, guarded)


class DeviceStep:
    """The work of an iteration on a net's device.  The trainer calls, for every iteration,

    prepare  before the first one
    follow   if settings have changed
    begin    to remember where the iteration begins
    passes   to clear the gradients and then, `settings.passes` times, stage a batch and run the net forward
             and backward
    verdict  where the host may wait: it says whether all losses and gradients so far were finite.  The device
             notes behind the passes whether they were, and makes no update from the first on that were not,
             so the host need not look every time
    update   to clip the gradients, decay the weights and apply the rule

    All parameters lie in one block, so do their gradients, and each array of the history is as long.

    history  rule.slots arrays
    rates    lr_mult of every update.BLOCK_SIZE parameters
    decays   decay_mult, likewise
    begun    the iterations that no verdict was asked for yet, oldest first
    """

    def __init__(self, net: Net, rule: UpdateRule, settings: StepSettings) -> None:
        self.net, self.rule, self.settings = net, rule, settings
        self.device = device = net.device
        self.k = device.bind(update)
        parameters, size = net.parameters, net.parameters.size
        self.history = [device.zeros((size,)) for _ in range(rule.slots)]
        self.rates, self.decays = (device.zeros((size // update.BLOCK_SIZE,)) for _ in range(2))
        for factors, array in zip(parameters.multipliers(update.BLOCK_SIZE), (self.rates, self.decays)):
            device.put(factors, array)
        self.hyper = device.zeros((update.HYPER,))
        self._set, self._findings = self.hyper[: update.SETTINGS], self.hyper[update.SETTINGS :]
        self._partial = device.zeros((-(-size // update.CHUNK),))
        self._before = self._room_for_before()
        self.begun: list[Begun] = []
        self._prepared = False
        losses = zip(net.tops, net.loss_weights)
        self._losses = [blob for tops, weights in losses for blob, weight in zip(tops, weights) if weight]
        runs = net.executor
        self._first, self._further = Captured(runs, self._run_first), Captured(runs, self._run_pass)
        self._judge = Captured(runs, self._run_judge)
        self._update = {True: Captured(runs, self._run_update), False: Captured(runs, self._run_unjudged)}

    def follow(self, settings: StepSettings) -> None:
        """Go on with these settings."""
        if settings == self.settings:
            return
        self.settings = settings
        for unit in (self._first, self._further, self._judge, *self._update.values()):
            unit.forget()  # which waits for what is under way
        self._before = self._room_for_before()

    def prepare(self, others: Sequence[Net] = ()) -> None:
        """Before the first iteration: have compiled what iterations launch, and forward passes of other
        nets."""

        def body() -> None:
            self._run_first()
            self._run_unjudged()
            for net in others:
                net.run_forward()

        if self._prepared:
            return
        self._prepared = True
        for net in (self.net, *others):
            if net.stale:
                net.reshape()
        self.device.rehearse(body)

    def begin(self, iteration: int, current_step: int) -> None:
        """Remember where an iteration begins, if it may have to be repeated."""
        if self.settings.guarded:
            self.begun.append(Begun(iteration, self.net.position, current_step))

    def passes(self, *, read: bool) -> float:
        """Run the passes; returns the mean of their losses if `read`, else 0."""
        count, guarded, total = self.settings.passes, self.settings.guarded, 0.0
        for number in range(count):
            self.net.stage()
            (self._further if number else self._first)()
            if read or self.device.synchronous:
                self.net.verify()
            if read:
                total += self.net.loss()
        if guarded and count > 1:
            self._judge()
        return total / count

    def verdict(self) -> Begun | None:
        """Wait for the device: None if all went well, else what the first iteration that did not began from.
        The next verdict is on what follows."""
        if not self.begun:
            return None
        found = self.device.get(self._findings)
        bad = bool(found[update.HALT - update.SETTINGS])
        first = self.begun[int(found[update.GOOD - update.SETTINGS])] if bad else None
        self.drop()
        return first

    def drop(self) -> None:
        """Forget the iterations so far: the next verdict is on what follows."""
        self.begun.clear()
        self.device.fill(self._findings, 0)

    def update(self, hyper: np.ndarray, *, judged: bool) -> None:
        """Make one update of the gradients as they are.

        hyper   what UpdateRule.hyper returned for it
        judged  the squares of these gradients are summed already: passes ended with them, guarded, and nobody
                has changed them since
        """
        self.device.put(hyper, self._set)
        self._update[judged or self.settings.clip < 0]()

    def norm(self) -> float:
        """The L2 norm of the gradient that the last update compared with `settings.clip`."""
        return float(self.device.get(self.hyper)[update.NORM])

    def parameters_are_finite(self) -> bool:
        """Whether the sum of the parameters' squares is a finite number."""
        data = self.net.parameters.data
        self.k.square_sums(data, self._partial, data.size)
        return bool(np.isfinite(self.device.get(self._partial)).all())

    def next_loss(self) -> float:
        """The loss of the next batch with the parameters as they are.  Nothing but the blobs of the net has
        changed afterwards: not its position, nor the statistics of BatchNorm."""
        net = self.net
        position, data = net.position, self.device.get(net.parameters.data)
        net.stage()
        net.run_forward()
        net.verify()
        loss = net.loss()
        net.seek(position)
        self.device.put(data, net.parameters.data)
        return loss

    # -- what is launched

    def _run_first(self) -> None:
        self.net.clear_param_diffs()
        self._run_pass()
        if self.settings.guarded and self.settings.passes == 1:  # one graph instead of two
            self._run_judge()

    def _run_pass(self) -> None:
        self.net.run_forward()
        if self.settings.guarded:
            for blob in self._losses:
                self.k.note_nonfinite(blob.data, self.hyper, blob.count)
        self.net.run_backward()

    def _run_judge(self) -> None:
        self._sum_squares()
        self.k.judge(self._partial, self.hyper, self._partial.size)

    def _run_unjudged(self) -> None:
        self._sum_squares()
        self._run_update()

    def _run_update(self) -> None:
        data, diff = self.net.parameters.data, self.net.parameters.diff
        clip, passes = self.settings.clip, self.settings.passes
        if clip >= 0:
            self.k.clip_scale(self._partial, self.hyper, self._partial.size, clip, passes)
        if self._before is not None:
            self.device.copy(data, self._before)
        self.rule.apply(
            self.k, data, diff, self.history, self.rates, self.decays, self.hyper, self.settings.l1
        )
        if self._before is not None:
            self.device.copy(data, diff)
            self.device.bind(memory).subtract_from(self._before, diff, diff.size)
        elif self.settings.store_update:
            self.device.copy(self.history[0], diff)

    def _sum_squares(self) -> None:
        diff = self.net.parameters.diff
        self.k.square_sums(diff, self._partial, diff.size)

    def _room_for_before(self):
        """An array for the parameters from before an update, None if what the update subtracts is not wanted,
        or the rule keeps it itself."""
        wanted = self.settings.store_update and not self.rule.keeps_update
        return self.device.empty((self.net.parameters.size,)) if wanted else None
