"""Solver: the trainer.  Its loop makes iterations, tests, displays and snapshots in Caffe's order."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .. import log
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..errors import WeightsError
from ..log import number
from ..proto import text, upgrade
from ..proto.schema import SolverParameter
from . import display, extras, nets, nonfinite, resume, settings, snapshot, testing
from .callbacks import Callback
from .device_step import DeviceStep, StepSettings
from .display import Display, Shown
from .lag import most_unchecked, undivided
from .policy import Policy
from .update_rules import resolve


class Solver:
    """Trains a net, by the update rule that param.type names.

    param      a SolverParameter; what is set in it later counts from the next iteration on, or is refused by
               it, if nets or callbacks were made from it
    device     where it runs; a CpuDevice in float32 if left out
    callbacks  told of starts, iterations, tests, snapshots and stops
    source     the file the parameters came from: nets named in it are also looked for beside it
    strict     refuse nets with extensions that Caffe does not read
    nonfinite_effect  what a loss or gradient that is NaN or infinite does: "stop" raises NonFiniteError,
               "report" says so once and goes on, as Caffe would, "none" goes on
    keep       "all": every blob of its nets can be read between steps, and test nets run backward too
    passes     which passes may change its nets, see Net
    folder     of its nets, where their files are copies from elsewhere, see Net

    One iteration: iter_size passes forward and backward, whose parameter gradients add up; then clipping by
    the global norm, division by iter_size, weight decay, and the update (device_step.py).

    Its attributes are described at callbacks.Training; beside them device_step is what runs on the device.
    """

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
        return Solver(param, source=source, **options)

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
        passes: Collection[str] | None = None,
        folder: str | None = None,
    ) -> None:
        with text.in_file(source or "solver"):
            self.rule = resolve(param.type)
        for line in ["Initializing solver from parameters: ", *text.spell(param).split("\n")]:
            log.detail(line)
        self.param = param
        self._followed = SolverParameter()  # what was set in it when the solver looked last
        self._followed.CopyFrom(param)
        self.source = source
        self.device = device or CpuDevice()
        self.nonfinite_effect = nonfinite_effect
        self.iteration = 0
        self.rate: float | None = None
        self.requests: deque[str] = deque()
        self.stopped = False
        self.tested: int | None = None
        self.shown: Shown | None = None
        self.snapshot_error: WeightsError | None = None
        self._before_test: dict[str, Any] | None = None  # the run state, while a test is under way
        self._started = False  # the callbacks were told
        with text.in_file(source or "solver"):
            settings.check(param)
            self.policy = Policy(param)
            self.seed = param.random_seed if param.random_seed >= 0 else secrets.randbits(32)
            if param.debug_info:  # whose nets run layer by layer, whichever iteration is logged
                passes = ()
            making = nets.Making(source, strict, self.device, self.seed, keep, passes, folder)
            self.net = nets.train_net(param, making)
            self.test_nets = nets.test_nets(param, making, self.net)
            testing.check(param, self.test_nets)
            self.callbacks = [*extras.of(param, self.test_nets, self.device), *callbacks]
        self.net.parameters.trained = True
        self.device_step = DeviceStep(self.net, self.rule, self._step_settings())
        self.history = self.device_step.history
        self.losses: deque[float] = deque(maxlen=param.average_loss)
        self._display = Display(self.net)
        with text.in_file(source or "solver", "weights"):
            for entry in param.weights:
                self.load_weights([path.strip() for path in entry.split(",")])
        log.detail("Solver scaffolding done.")

    def follow(self) -> None:
        """Let what was set in `param` since the last time count.  ConfigError, until it is taken back, for
        what cannot be changed any more, or is out of range."""
        if self.param != self._followed:
            settings.check_change(self._followed, self.param)
            settings.check(self.param)
            policy = Policy(self.param)
            policy.current_step, policy.factor = self.policy.current_step, self.policy.factor
            self.policy = policy
            self.losses = deque(self.losses, maxlen=self.param.average_loss)
            self._followed.CopyFrom(self.param)
        self.device_step.follow(self._step_settings())

    @property
    def _guarded(self) -> bool:
        """Whether values that are not finite are looked for."""
        return self.nonfinite_effect != "none"

    def _step_settings(self) -> StepSettings:
        return StepSettings.of(self.param, guarded=self._guarded)

    def load_weights(self, paths: Sequence[str]) -> None:
        """Load weight files into all nets, by layer name; later files override earlier.  WeightsError for a
        file from which the training net takes nothing."""
        for path in paths:
            found = nets.find(path, self.source, tell=True)
            for net in (self.net, *self.test_nets):
                log.info(f"Finetuning from {found}")
                net.load(found, must_match=net is self.net)

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
            if self._guarded and not self.device_step.parameters_are_finite():
                nonfinite.handle_parameters(self)  # no later loss shows what the last update made
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

    def _close(self) -> None:
        """What follows the last update where it is due: the loss, by one more forward pass as in Caffe's
        log, and the tests."""
        if self._on(self.param.display):
            losses = [*self.losses, self.device_step.next_loss()][-self.param.average_loss :]
            self.shown = self._display.show_last(self.iteration, sum(losses) / len(losses))
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
        self._display.start(self.iteration)
        if not self._started:
            self._start()
        self.device_step.prepare(self.test_nets)
        self.confirm()  # what an error or an interrupt left behind
        while self.iteration < end() or not self.confirm():
            if self.iteration >= end():  # the last one, made again
                continue
            self.follow()
            first = self.iteration == 0 and not param.test_initialization
            if self._on(param.test_interval) and not first and self.tested != self.iteration:
                if not self.confirm():
                    continue
                self.test_all()
                if self.stopped:
                    return
            self._iterate()
            for callback in self.callbacks:
                callback.on_iteration(self)
            if self.requests or self._on(param.snapshot):
                self.confirm()  # perhaps back to an earlier iteration
                if self.take_requests() or self._on(param.snapshot):
                    self.try_snapshot()
            if self.stopped:
                return

    def _iterate(self) -> None:
        """Make one iteration: passes and update."""
        param, step = self.param, self.device_step
        for callback in self.callbacks:
            callback.on_begin(self)
        self.follow()
        shown, whole = self._on(param.display), undivided(self)
        self.net.debug_info = self.net.param.debug_info or (shown and param.debug_info)
        step.begin(self.iteration, self.policy.current_step)
        read = shown or param.average_loss > 1 or (self.device.synchronous and self._guarded)
        rate = self.policy.rate(self.iteration)
        if whole:
            loss = step.iterate(self.rule.hyper(param, rate, self.iteration), read=read)
        else:
            loss = step.passes(read=read)
        if read:
            self.losses.append(loss)
        look = shown or len(step.begun) >= most_unchecked(self)
        good = not look or self._all_finite()
        if shown and self._on(param.display):  # unless an iteration before was the first that went wrong
            self.shown = self._display.show(self.iteration, sum(self.losses) / len(self.losses), param)
        if whole and good:
            self._updated(rate)
            return
        changed = [callback.on_gradients(self) for callback in self.callbacks]
        self.apply_update(judged=good and self._guarded and not any(changed))

    def apply_update(self, *, judged: bool = False) -> None:
        """Turn the gradients of the passes since the last update into one update; `judged`: their squares are
        summed already."""
        self.follow()
        rate = self.policy.rate(self.iteration)
        self.device_step.update(self.rule.hyper(self.param, rate, self.iteration), judged=judged)
        self._updated(rate)

    def _updated(self, rate: float) -> None:
        """An update with this rate was made: say so, and count it."""
        self.rate = rate
        self.policy.advance(self.iteration)
        if self._on(self.param.display):
            log.info(f"Iteration {self.iteration}, lr = {number(rate)}")
        if self.param.clip_gradients >= 0:
            display.show_clipping(self.device_step.norm(), self.param.clip_gradients)
        self.iteration += 1

    def _all_finite(self) -> bool:
        """Look for bad values since the last look.  If there are any, return False: then the solver has gone
        back to the first iteration that had them, behind its passes, and done as nonfinite_effect says."""
        begun = self.device_step.verdict()
        if begun is None:
            return True
        self.iteration, self.policy.current_step = begun.iteration, begun.current_step
        nonfinite.handle(self, begun.position)
        return False

    def confirm(self) -> bool:
        """Make sure of the iterations behind; called between two.  If one had to be made again, return False:
        then `iteration` has stepped back to the one after it.  NonFiniteError as in `solve`."""
        good = self._all_finite()
        if not good:
            self.apply_update()
        return good

    def take_requests(self) -> bool:
        """Answer the requests: set `stopped` for a stop, and return whether a snapshot was requested."""
        wanted = False
        while self.requests:  # signal handlers append at any moment: take them out one by one
            if self.requests.popleft() == "snapshot":
                wanted = True
            else:
                self.stopped = True
        return wanted

    # -- tests

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

        Returns the mean of every output element, by blob, or a detector's mean average precision, nothing for
        test_iter 0; None if a stop was requested on the way.
        """
        net, batches = self.test_nets[index], self.param.test_iter[index]
        log.info(f"Iteration {self.iteration}, Testing net (#{index})")
        net.share_with(self.net)  # whose parameters may have become those of another net since
        net.debug_info = net.param.debug_info or self.param.debug_info
        means = testing.mean_outputs(net, batches, self.param, interrupted=self._interrupted)
        if means is None:
            log.info("Test interrupted.")
            return None
        display.show_outputs("Test", net, means)
        return {name: values.tolist() for name, values in means.items()}

    def _interrupted(self) -> bool:
        """Answer requests during a test; whether it has to end."""
        if self.take_requests():
            self.try_snapshot()
        return self.stopped

    # -- snapshots

    def snapshot(self) -> Path:
        """Write weights, solver state and run state as <snapshot_prefix>_iter_<iteration>.*; returns the path
        of the solver state.  Raises WeightsError, and leaves no file of it, if that fails."""
        # A snapshot in the middle of a test stands before it: a resumed run repeats the test.
        path = resume.write(self, self._before_test or resume.run_state(self))
        self.snapshot_error = None
        for callback in self.callbacks:
            callback.on_snapshot(self, path)
        return path

    def try_snapshot(self) -> None:
        """Write a snapshot; where that fails, as on a full disk, report it and let the training go on."""
        try:
            self.snapshot()
        except WeightsError as error:
            self.snapshot_error = error
            log.error(f"{error}; training goes on without it")
            for callback in self.callbacks:
                callback.on_snapshot(self, None)

    def restore(self, path: str | Path) -> None:
        """Continue from a solver state: ours, or one that Caffe wrote.

        With a run state beside it the run continues exactly; without, the data continues where the iteration
        says that it should be.  Raises WeightsError for a state of another net or solver type, or one that is
        damaged, before anything changes where that can be told.
        """
        stored = resume.read(self, path)
        resume.restore_values(self, stored)
        self.device_step.drop()
        resume.restore_progress(self, stored)
