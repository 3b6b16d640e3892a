"""The device's share of an iteration: passes, the verdict on them, the update.

On a GPU all of it, or each of these, is a captured unit, which is launched and not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..core.blob import Blob
from ..device.feed import Array
from ..kernels import memory, update
from ..kernels.partial_sums import OUTCOME
from ..layers.loss.measure import Measure
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

    or, where nobody wants to look between passes and update, `iterate` for both of them.

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
        self._set, self._findings = Array(self.hyper[: update.SETTINGS]), self.hyper[update.SETTINGS :]
        self._partial = device.zeros((-(-size // update.CHUNK),))
        self._before = self._room_for_before()
        self.begun: list[Begun] = []
        self._prepared = False
        self._look_at_losses()
        self._first, self._further, self._only, self._last = (
            Captured(net.executor, body, fed=True)
            for body in (self._run_first, self._run_pass, self._run_only, self._run_last)
        )
        self._judge, self._update, self._update_unjudged = (
            Captured(net.executor, body) for body in (self._run_judge, self._run_update, self._run_unjudged)
        )

    def _look_at_losses(self) -> None:
        """Let the measures that are trained on leave their outcomes in one array, for `judge`.  Other blobs
        that have a loss weight are looked at one by one."""
        self._losses: list[Blob] = []
        measures = []
        for layer, tops, weights in zip(self.net.layers, self.net.tops, self.net.loss_weights):
            for place, (blob, weight) in enumerate(zip(tops, weights)):
                if weight and place == 0 and isinstance(layer, Measure):
                    measures.append(layer)
                elif weight:
                    self._losses.append(blob)
        self._outcomes = self.device.zeros((max(1, len(measures)) * OUTCOME,))
        for i, measure in enumerate(measures):
            measure.outcome = self._outcomes[i * OUTCOME : (i + 1) * OUTCOME]
        self.net.executor.moved()  # what was captured would go on with the old ones

    def follow(self, settings: StepSettings) -> None:
        """Go on with these settings."""
        if settings == self.settings:
            return
        self.settings = settings
        for unit in self._units:
            unit.forget()  # which waits for what is under way
        self._before = self._room_for_before()

    def prepare(self, others: Sequence[Net] = ()) -> None:
        """Before the first iteration: have compiled what iterations launch, and forward passes of other
        nets."""

        def body() -> None:
            self._run_only()
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

    def iterate(self, hyper: np.ndarray, *, read: bool) -> float:
        """Run the passes and make the update that follows from them, which is part of the last pass's unit;
        arguments and result as for `passes` and `update`."""
        count = self.settings.passes
        total = self._run_passes(count - 1, read)
        self.net.prepare([(hyper, self._set)])
        (self._only if count == 1 else self._last)()
        return (total + self._looked(read)) / count

    def passes(self, *, read: bool) -> float:
        """Run the passes; returns the mean of their losses if `read`, else 0."""
        count = self.settings.passes
        total = self._run_passes(count, read)
        if self.settings.guarded:
            self._judge()
        return total / count

    def _run_passes(self, count: int, read: bool) -> float:
        """Run the first so many passes; returns the sum of what `_looked` returns."""
        total = 0.0
        for number in range(count):
            self.net.prepare()
            (self._further if number else self._first)()
            total += self._looked(read)
        return total

    def _looked(self, read: bool) -> float:
        """Behind a pass: verify it and return its loss if `read`, else 0."""
        if read or self.device.synchronous:
            self.net.verify()
        return self.net.loss() if read else 0.0

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
        self.device.put(hyper, self._set.data)
        (self._update if judged or self.settings.clip < 0 else self._update_unjudged)()

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
        net, get = self.net, self.device.get
        written = [blob for layer in net.layers if layer.carries for blob in layer.params]
        position, values = net.position, [get(blob.data) for blob in written]
        net.stage()
        net.run_forward()
        net.verify()
        loss = net.loss()
        net.seek(position)
        for blob, value in zip(written, values):
            self.device.put(value, blob.data)
        return loss

    # -- what is launched

    @property
    def _units(self) -> tuple[Captured, ...]:
        return (
            *(self._first, self._further, self._only, self._last),
            *(self._judge, self._update, self._update_unjudged),
        )

    def _run_first(self) -> None:
        self.net.clear_param_diffs()
        self._run_pass()

    def _run_only(self) -> None:
        self.net.clear_param_diffs()
        self._run_last()

    def _run_last(self) -> None:
        self._run_pass()
        if self.settings.guarded:
            self._run_judge()
            self._run_update()
        else:
            self._run_unjudged()

    def _run_pass(self) -> None:
        self.net.executor.deliver()
        self.net.run_forward()
        if self.settings.guarded:
            for blob in self._losses:
                self.k.note_nonfinite(blob.data, self.hyper, blob.count)
            if self.settings.passes > 1:  # behind the last one `judge` would see its own alone
                self.k.note_nonfinite(self._outcomes, self.hyper, self._outcomes.size)
        self.net.run_backward()

    def _run_judge(self) -> None:
        self._sum_squares()
        outcomes = self._outcomes
        self.k.judge(self._partial, outcomes, self.hyper, self._partial.size, outcomes.size)

    def _run_unjudged(self) -> None:
        if self.settings.clip >= 0:
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
