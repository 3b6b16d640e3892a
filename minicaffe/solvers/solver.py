"""Solver: the training loop, tests, snapshots and resuming, in Caffe's order."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .. import log
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..errors import DataError, WeightsError
from ..kernels import memory, update
from ..log import number
from ..proto import text, upgrade
from ..proto.schema import Message, SolverParameter
from . import display, extras, nets, nonfinite, resolve, resume, settings, snapshot
from .callbacks import Callback
from .display import Outputs, Shown
from .iteration import UNCHECKED, Iteration
from .policy import Policy
from .snapshot import State


class Solver:
    """Trains a net.  A subclass adds the update rule: `slots` history arrays per parameter, and `apply`.

    param      a SolverParameter; what is set in it later counts from the next iteration on, or is refused by
               it, if nets or callbacks were made from it
    device     where it runs; a CpuDevice in float32 if left out
    callbacks  told of starts, iterations, tests, snapshots and stops
    source     the file the parameters came from: nets named in it are also looked for beside it
    strict     refuse nets with extensions that Caffe does not read
    nonfinite_effect  what a loss or gradient that is NaN or infinite does: "stop" raises NonFiniteError,
               "report" says so once and goes on, as Caffe would, "none" goes on
    keep       "all": every blob of its nets can be read between steps, and test nets run backward too
    folder     of its nets, where their files are copies from elsewhere, see Net

    One iteration: iter_size passes forward and backward, whose parameter gradients add up; then clipping by
    the global norm, division by iter_size, weight decay, and the update.  All parameters, gradients and
    history lie in flat blocks, so that each of these is one kernel.

    iteration  updates made
    requests   "stop" and "snapshot", from signal handlers and callbacks, answered between iterations
    shown      what was displayed last
    rate       of the last update, None before the first
    """

    type = ""
    slots = 0

    @staticmethod
    def create(solver: str | Path | SolverParameter, *, source: str = "", **options) -> Solver:
        """The solver that a prototxt (or a SolverParameter) describes, of the type that it names; further
        options as for the constructor."""
        if isinstance(solver, SolverParameter):
            param = SolverParameter()
            param.CopyFrom(solver)
            upgrade.upgrade_solver(param, source or "a solver")
        else:
            source = str(solver)
            param = upgrade.read_solver(source)
        with text.in_file(source or "solver"):
            kind = resolve(param.type)
        return kind(param, source=source, **options)

    def __init__(
        self,
        param: SolverParameter,
        *,
        device: Device | None = None,
        callbacks: Sequence[Callback] = (),
        source: str = "",
        strict: bool = False,
        nonfinite_effect: str = "stop",
        keep: str = "needed",
        folder: str | None = None,
    ) -> None:
        for line in ["Initializing solver from parameters: ", *text.spell(param).split("\n")]:
            log.detail(line)
        self.param = param
        self._followed = SolverParameter()  # what was set in it when the solver looked last
        self._followed.CopyFrom(param)
        self.source = source
        self.device = device or CpuDevice()
        self.nonfinite_effect = nonfinite_effect
        self.iteration = 0
        self.requests: deque[str] = deque()
        self.stopped = False
        self.tested: int | None = None  # the iteration whose scheduled test is done
        self.shown: Shown | None = None
        self.snapshot_error: WeightsError | None = None  # why the last snapshot could not be written
        self._before_test: dict[str, Any] | None = None  # the run state, while a test is under way
        self._started = False  # the callbacks were told
        self._diverged = False  # it was said that training has
        with text.in_file(source or "solver"):
            self.check(param)
            self.policy = Policy(param)
            self.rate: float | None = None
            self.seed = param.random_seed if param.random_seed >= 0 else secrets.randbits(32)
            made_on = source, self.device, self.seed, strict, keep, folder
            self.net = nets.train_net(param, *made_on)
            self.test_nets = nets.test_nets(param, *made_on, self.net)
            self.callbacks = [*extras.of(self), *callbacks]
        self._prepare_update()
        self.losses: deque[float] = deque(maxlen=param.average_loss)  # the last ones, for the smoothed loss
        with text.in_file(source or "solver", "weights"):
            for entry in param.weights:
                self.load_weights([path.strip() for path in entry.split(",")])
        log.detail("Solver scaffolding done.")

    @classmethod
    def check(cls, param: Message, *, trial: bool = True) -> None:
        """ConfigError for settings that this type of solver cannot train with, WeightsError if its snapshots
        could not be written; `trial` as for snapshot.check_writable."""
        settings.check(param, trial=trial)

    def follow(self) -> None:
        """Let what was set in `param` since the last time count.  ConfigError, until it is taken back, for
        what cannot be changed any more, or is out of range."""
        if self.param == self._followed:
            return
        settings.check_change(self._followed, self.param)
        self.check(self.param)
        policy = Policy(self.param)
        policy.current_step, policy.factor = self.policy.current_step, self.policy.factor
        self.policy = policy
        self.l1 = int(self.param.regularization_type == "L1")
        self.losses = deque(self.losses, maxlen=self.param.average_loss)
        self.work.follow()
        self._followed.CopyFrom(self.param)

    def _prepare_update(self) -> None:
        """Flat history, and per block of parameters the multipliers of rate and decay."""
        parameters, size = self.net.parameters, self.net.parameters.size
        parameters.trained = True
        self.k = self.device.bind(update)
        self.l1 = int(self.param.regularization_type == "L1")
        self.history = [self.device.zeros((size,)) for _ in range(self.slots)]
        self.work = Iteration(self)
        self.rates, self.decays = map(self.device.zeros, [(size // update.BLOCK_SIZE,)] * 2)
        for factors, array in zip(parameters.multipliers(update.BLOCK_SIZE), (self.rates, self.decays)):
            self.device.put(factors, array)

    def load_weights(self, paths: Sequence[str]) -> None:
        """Load weight files into all nets, by layer name; later files override earlier.  WeightsError for one
        of which the training net takes nothing."""
        for path in paths:
            found = nets.find(path, self.source, tell=True)
            for net in (self.net, *self.test_nets):
                log.info(f"Finetuning from {found}")
                net.load(found, must_match=net is self.net)

    # -- the update rule

    def apply(self, w, dw, history, hyper) -> None:
        """Update the flat block w from the summed gradients dw; see kernels/update.py for hyper."""
        raise NotImplementedError

    def further(self, hyper: np.ndarray) -> None:
        """Set what a solver type needs in `hyper` beside rate, momentum, decay, scale and delta."""

    def apply_update(self, *, judged: bool = False) -> None:
        """Turn the gradients of the passes since the last update into one update; `judged`: their squares are
        summed already."""
        self.follow()
        param = self.param
        rate = self.rate = self.policy.rate(self.iteration)
        self.policy.advance(self.iteration)
        if param.display and self.iteration % param.display == 0:
            log.info(f"Iteration {self.iteration}, lr = {number(rate)}")
        hyper = np.zeros(update.SETTINGS)
        hyper[update.RATE], hyper[update.MOMENTUM] = rate, param.momentum
        hyper[update.DECAY], hyper[update.SCALE] = param.weight_decay, 1 / param.iter_size
        hyper[update.DELTA] = param.delta
        self.further(hyper)
        self.work.update(hyper, judged=judged or param.clip_gradients < 0)
        if param.clip_gradients >= 0:
            display.show_clipping(self.work.norm(), param.clip_gradients)
        self.iteration += 1

    def store_update(self, before) -> None:
        """Put into the diffs what the update took off the parameters, which were `before`."""
        parameters = self.net.parameters
        self.device.copy(parameters.data, parameters.diff)
        self.device.bind(memory).subtract_from(before, parameters.diff, before.size)

    # -- running

    def solve(self, resume: str | Path | None = None) -> None:
        """Train to max_iter, with tests, displays and snapshots on the way and at the end.

        A snapshot that cannot be written stops the training only at its end: WeightsError.  Raises
        NonFiniteError at the first loss or gradient that is not finite, unless nonfinite_effect says else.
        """
        param = self.param
        log.info(f"Solving {self.net.name}")
        log.detail(f"Learning Rate Policy: {param.lr_policy}")
        self.stopped = False
        if param.snapshot_after_train:
            with text.in_file(self.source or "solver"):
                snapshot.check_writable(param.snapshot_prefix)
        if resume:
            log.info(f"Restoring previous solver status from {resume}")
            self.restore(resume)
        self._start()
        if self.take_requests():
            self.try_snapshot()
        try:
            if not self.stopped:
                self._train(lambda: param.max_iter)
            self._check_parameters()
            if param.snapshot_after_train and not self._on(param.snapshot):
                self.try_snapshot()
            if self.stopped:
                log.info("Optimization stopped early.")
            else:
                self._close()
                log.info("Optimization Done.")
        finally:
            self._started = False
            for callback in self.callbacks:
                callback.on_stop(self)
        if self.snapshot_error:
            raise self.snapshot_error

    def _start(self) -> None:
        self._started = True
        for callback in self.callbacks:
            callback.on_start(self)

    def _check_parameters(self) -> None:
        """What the last update made of the parameters no later loss will show."""
        if self.nonfinite_effect == "none":
            return
        data = self.net.parameters.data
        self.k.square_sums(data, self.work.partial, data.size)
        if not np.isfinite(self.device.get(self.work.partial)).all():
            nonfinite.handle_parameters(self)

    def _close(self) -> None:
        """What follows the last update: the loss and the tests, where they are due."""
        if self._on(self.param.display):
            self._display_final()
        if self._on(self.param.test_interval) and self.tested != self.iteration:
            self.test_all()

    def _on(self, interval: int) -> bool:
        """Whether something that is due every `interval` iterations is due now."""
        return bool(interval) and self.iteration % interval == 0

    def step(self, iterations: int) -> None:
        """Make so many updates, or fewer if a stop is requested: `stopped` says so until the next call."""
        end = self.iteration + iterations
        self._train(lambda: end)

    def _train(self, end: Callable[[], int]) -> None:
        param = self.param
        self.stopped = False
        self._displayed = self.iteration, time.perf_counter()
        if not self._started:
            self._start()
        self.settle()  # what an error or an interrupt left behind
        while self.iteration < end() or not self.settle():
            if self.iteration >= end():  # the last one, made again
                continue
            self.follow()
            first = self.iteration == 0 and not param.test_initialization
            if self._on(param.test_interval) and not first and self.tested != self.iteration:
                if not self.settle():
                    continue
                self.test_all()
                if self.stopped:
                    return
            self._iterate()
            for callback in self.callbacks:
                callback.on_iteration(self)
            if self.requests or self._on(param.snapshot):
                self.settle()  # perhaps back to an earlier iteration
                if self.take_requests() or self._on(param.snapshot):
                    self.try_snapshot()
            if self.stopped:
                return

    def _iterate(self) -> None:
        """One update."""
        param, work = self.param, self.work
        for callback in self.callbacks:
            callback.on_begin(self)
        self.follow()
        shown = self._on(param.display)
        self.net.debug_info = self.net.param.debug_info or (shown and param.debug_info)
        work.begin()
        read = shown or param.average_loss > 1 or (self.device.synchronous and work.guarded)
        loss = work.passes(read=read)
        if read:
            self.losses.append(loss)
        look = shown or len(work.begun) >= (UNCHECKED if self._deferring() else 1)
        good = not look or self._all_finite()
        if shown and self._on(param.display):  # unless an iteration before was the first that went wrong
            self._display(sum(self.losses) / len(self.losses))
        changed = [callback.on_gradients(self) for callback in self.callbacks]
        self.apply_update(judged=good and work.guarded and not any(changed))

    def _deferring(self) -> bool:
        """Whether bad values may be found some iterations later: then the run must be able to go back to
        where they arose, and nobody may have looked at what followed."""
        return not (
            self.device.synchronous
            or self.param.average_loss > 1
            or self.param.clip_gradients >= 0  # whose norm is logged
            or any(layer.carries or not layer.capturable for layer in self.net.layers)
            or not all(callback.may_lag for callback in self.callbacks)
        )

    def _all_finite(self) -> bool:
        """Look for bad values since the last look.  If there are any, go back to the iteration that had them,
        behind its passes, and do as nonfinite_effect says; False then."""
        begun = self.work.verdict()
        if begun is None:
            return True
        self.iteration, self.policy.current_step = begun.iteration, begun.current_step
        nonfinite.handle(self, begun.position)
        self.work.forget()  # it may be that bad values are not looked for any more
        return False

    def settle(self) -> bool:
        """Between two iterations: make sure of those behind.  If one had to be made again, False: then
        `iteration` has stepped back to the one after it.  NonFiniteError as in `solve`."""
        good = self._all_finite()
        if not good:
            self.apply_update()
        return good

    def take_requests(self) -> bool:
        """Answer what was requested: sets `stopped`; whether a snapshot was.  Requests come from signal
        handlers at any moment, so each is taken out by itself, never all of them cleared."""
        wanted = False
        while self.requests:
            if self.requests.popleft() == "snapshot":
                wanted = True
            else:
                self.stopped = True
        return wanted

    # -- display and test

    def _display(self, loss: float) -> None:
        before, since = self._displayed
        now = time.perf_counter()
        self._displayed = self.iteration, now
        speed = (self.iteration - before) / (now - since)
        log.info(
            f"Iteration {self.iteration} ({number(speed)} iter/s, {number(round(now - since, 3))}s/"
            f"{self.param.display} iters), loss = {number(loss)}"
        )
        self.shown = Shown(self.iteration, loss, display.outputs(self.net))
        display.show_outputs("Train", self.net, self.shown.outputs)
        if not self._diverged and (output := display.diverged(self.net, self.shown.outputs)):
            self._diverged = True
            log.warning(
                f"Iteration {self.iteration}: {output} = {display.LARGEST_LOSS:g}, the largest there is:"
                " every label has probability 0, from which nothing is learned; lower base_lr (now"
                f" {number(self.param.base_lr)})"
            )

    def _display_final(self) -> None:
        """One more forward pass after the last update, as Caffe does, so that the log ends with its loss.  It
        leaves no trace: a snapshot after it must be as one before."""
        position, data = self.net.position, self.device.get(self.net.parameters.data)
        self.net.stage()
        self.net.run_forward()
        self.net.verify()
        losses = [*self.losses, self.net.loss()][-self.param.average_loss :]
        self.net.seek(position)
        self.device.put(data, self.net.parameters.data)  # the statistics of BatchNorm among them
        loss = sum(losses) / len(losses)
        log.info(f"Iteration {self.iteration}, loss = {number(loss)}")
        self.shown = Shown(self.iteration, loss, display.outputs(self.net))

    def test_all(self) -> None:
        """Run every test net, tell the callbacks, and answer what they ask for.  If a stop is requested in
        between, the test is taken back: a resumed run repeats it from its start."""
        if not self.test_nets:
            return
        begun = [net.position for net in self.test_nets]
        self._before_test = resume.run_state(self)
        results = []
        try:
            with ExitStack() as stack:
                for callback in self.callbacks:
                    stack.enter_context(callback.testing(self))
                for index in range(len(self.test_nets)):
                    result = self.test(index)
                    if result is None:
                        break
                    results.append(result)
        finally:
            self._before_test = None
        if self.stopped:
            for net, position in zip(self.test_nets, begun):
                net.seek(position)
            return
        self.tested = self.iteration
        for callback in self.callbacks:
            callback.on_test(self, results)
        if self.take_requests():
            self.try_snapshot()

    def test(self, index: int = 0) -> dict[str, list[float]] | None:
        """Run test net `index` for its test_iter batches on the present weights.

        Returns the mean of every output element, by blob, nothing for test_iter 0; None if a stop was
        requested on the way.
        """
        net, batches = self.test_nets[index], self.param.test_iter[index]
        log.info(f"Iteration {self.iteration}, Testing net (#{index})")
        net.share_with(self.net)  # whose parameters may have become those of another net since
        net.debug_info = net.param.debug_info or self.param.debug_info
        sums: Outputs = {}
        loss = 0.0
        for _ in range(batches):
            if self.take_requests():
                self.try_snapshot()
            if self.stopped:
                log.info("Test interrupted.")
                return None
            net.stage()
            net.replay_forward()
            net.verify()
            if self.param.test_compute_loss:
                loss += net.loss()
            for name, values in display.outputs(net).items():
                if name in sums and sums[name].size != values.size:
                    raise DataError(
                        f"test output {name!r} has {values.size} elements; before it had {sums[name].size}"
                    )
                sums[name] = sums[name] + values if name in sums else values
        means = {name: values / batches for name, values in sums.items()}
        if self.param.test_compute_loss:
            log.info(f"Test loss: {number(loss / batches if batches else float('nan'))}")
        display.show_outputs("Test", net, means)
        return {name: values.tolist() for name, values in means.items()}

    # -- snapshots

    def snapshot(self) -> Path:
        """Write weights, solver state and run state as <snapshot_prefix>_iter_<iteration>.*; returns the path
        of the solver state.  Raises WeightsError, and leaves no file of it, if that fails."""
        # A snapshot in the middle of a test stands before it: a resumed run repeats the test.
        run = self._before_test or resume.run_state(self)
        state = State(self.iteration, self.policy.current_step, resume.history(self), run=run)
        with ExitStack() as stack:
            for callback in self.callbacks:
                stack.enter_context(callback.training(self))
            more = resume.own_weights(self)
            for callback in self.callbacks:
                more |= callback.weights(self)
            message = self.net.to_message(diff=self.param.snapshot_diff)
        path = snapshot.write(
            self.param.snapshot_prefix,
            message,
            state,
            as_hdf5=snapshot.wants_hdf5(self.param),
            more=more,
        )
        self.snapshot_error = None
        for callback in self.callbacks:
            callback.on_snapshot(self, path)
        return path

    def try_snapshot(self) -> None:
        """A snapshot, but a full disk stops the snapshot, not the training: it is reported."""
        try:
            self.snapshot()
        except WeightsError as error:
            self.snapshot_error = error
            log.error(f"{error}; training goes on without it")
            for callback in self.callbacks:
                callback.on_snapshot(self, None)

    def restore(self, path: str | Path) -> None:
        """Continue from a solver state, ours or Caffe's; see resume.restore."""
        resume.restore(self, path)
