"""Solver: the training loop, tests, snapshots and resuming, in Caffe's order."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import log
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..errors import ConfigError, DataError, WeightsError, locate
from ..kernels import update
from ..log import number
from ..net import Net
from ..proto import text, upgrade
from ..proto.schema import SolverParameter
from . import nets, resolve, snapshot
from .callbacks import Callback
from .policy import Policy
from .snapshot import State


class Solver:
    """Trains a net.  A subclass adds the update rule: `slots` history arrays per parameter, and `apply`.

    param      a SolverParameter
    device     where it runs; a CpuDevice in float32 if left out
    callbacks  told of starts, iterations, tests, snapshots and stops
    source     the file the parameters came from: nets named in it are also looked for beside it
    strict     refuse nets with extensions that Caffe does not read

    One iteration: iter_size passes forward and backward, whose parameter gradients add up; then clipping by
    the global norm, division by iter_size, weight decay, and the update.  All parameters, gradients and
    history lie in flat blocks, so that each of these is one kernel.
    """

    type = ""
    slots = 0

    @staticmethod
    def create(solver: str | Path | SolverParameter, *, source: str = "", **options) -> Solver:
        """The solver that a prototxt (or a SolverParameter) describes, of the type that it names; further
        options as for the constructor."""
        if not isinstance(solver, SolverParameter):
            source = str(solver)
            solver = upgrade.read_solver(source)
        with locate(source or "solver"):
            kind = resolve(solver.type)
        return kind(solver, source=source, **options)

    def __init__(
        self,
        param: SolverParameter,
        *,
        device: Device | None = None,
        callbacks: Sequence[Callback] = (),
        source: str = "",
        strict: bool = False,
    ) -> None:
        log.info("Initializing solver from parameters: \n" + text.spell(param))
        self.param = param
        self.source = source
        self.device = device or CpuDevice()
        self.callbacks = list(callbacks)
        self.iteration = 0  # updates made
        self.requests: deque[str] = deque()  # "stop" and "snapshot", put there by signal handlers
        self.stopped = False
        with locate(source or "solver"):
            self._check()
            self.policy = Policy(param)
            self.seed = param.random_seed if param.random_seed >= 0 else secrets.randbits(32)
            self.net = nets.train_net(param, source, self.device, self.seed, strict)
            self.test_nets = nets.test_nets(param, source, self.device, self.seed, strict)
        for test_net in self.test_nets:
            test_net.share_with(self.net)
        self._prepare_update()
        self.losses: deque[float] = deque(maxlen=param.average_loss)  # the last ones, for the smoothed loss
        self._load_weights()
        log.info("Solver scaffolding done.")

    def _check(self) -> None:
        param = self.param
        if param.average_loss < 1:
            raise ConfigError(f"average_loss must be at least 1; got {param.average_loss}")
        if param.iter_size < 1:
            raise ConfigError(f"iter_size must be at least 1; got {param.iter_size}")
        if param.regularization_type not in ("L1", "L2"):
            raise ConfigError(f"regularization_type must be L1 or L2; got {param.regularization_type!r}")
        if param.snapshot > 0:
            if not param.snapshot_prefix:
                raise ConfigError("snapshot is set but snapshot_prefix is not", hint="set snapshot_prefix")
            snapshot.check_writable(param.snapshot_prefix)

    def _prepare_update(self) -> None:
        """Flat history, and per block of parameters the multipliers of rate and decay."""
        parameters, size = self.net.parameters, self.net.parameters.data.size
        self.k = self.device.bind(update)
        self.l1 = int(self.param.regularization_type == "L1")
        self.history = [self.device.zeros((size,)) for _ in range(self.slots)]
        self.hyper = self.device.zeros((update.HYPER,))
        self._partial = self.device.zeros((-(-size // update.CHUNK),))
        factors = np.zeros((2, size // update.BLOCK_SIZE))
        for owned in parameters.owned:
            first = owned.offset // update.BLOCK_SIZE
            last = first - (-owned.blob.count // update.BLOCK_SIZE)
            factors[0, first:last] = owned.lr_mult
            factors[1, first:last] = owned.decay_mult
        self.rates, self.decays = (self.device.zeros((factors.shape[1],)) for _ in range(2))
        self.device.put(factors[0], self.rates)
        self.device.put(factors[1], self.decays)

    def _load_weights(self) -> None:
        for entry in self.param.weights:
            self.load_weights([path.strip() for path in entry.split(",")])

    def load_weights(self, paths: Sequence[str]) -> None:
        """Load weight files into the training net, which the test nets share; later files override
        earlier."""
        for path in paths:
            log.info(f"Finetuning from {path}")
            self.net.load(nets.find(path, self.source))

    # -- the update rule

    def apply(self, w, dw, history, hyper) -> None:
        """Update the flat block w from the summed gradients dw; see kernels/update.py for hyper."""
        raise NotImplementedError

    def further(self, hyper: np.ndarray) -> None:
        """Set what a solver type needs in `hyper` beside rate, momentum, decay, scale and delta."""

    def apply_update(self) -> None:
        """Turn the gradients of the passes since the last update into one update."""
        param, parameters = self.param, self.net.parameters
        rate = self.policy.rate(self.iteration)
        if param.display and self.iteration % param.display == 0:
            log.info(f"Iteration {self.iteration}, lr = {number(rate)}")
        host = np.zeros(update.HYPER)
        host[update.RATE], host[update.MOMENTUM] = rate, param.momentum
        host[update.DECAY], host[update.SCALE] = param.weight_decay, 1 / param.iter_size
        host[update.DELTA] = param.delta
        self.further(host)
        self.device.put(host, self.hyper)
        if param.clip_gradients >= 0:
            self._clip(param.clip_gradients)
        self.apply(parameters.data, parameters.diff, self.history, self.hyper)
        self.iteration += 1

    def _clip(self, limit: float) -> None:
        """Let the update bring a gradient that is longer than `limit` to that length."""
        diff = self.net.parameters.diff
        self.k.square_sums(diff, self._partial, diff.size)
        self.k.clip_scale(self._partial, self.hyper, self._partial.size, limit, self.param.iter_size)
        norm = float(self.device.get(self.hyper)[update.NORM])
        if norm > limit:
            log.info(
                f"Gradient clipping: scaling down gradients (L2 norm {number(norm)} > {number(limit)})"
                f" by scale factor {number(limit / norm)}"
            )

    # -- running

    def solve(self, resume: str | Path | None = None) -> None:
        """Train to max_iter, with tests, displays and snapshots on the way and at the end."""
        param = self.param
        log.info(f"Solving {self.net.name}")
        log.info(f"Learning Rate Policy: {param.lr_policy}")
        self.stopped = False
        if resume:
            log.info(f"Restoring previous solver status from {resume}")
            self.restore(resume)
        for callback in self.callbacks:
            callback.on_start(self)
        try:
            self.step(param.max_iter - self.iteration)
            on_schedule = param.snapshot and self.iteration % param.snapshot == 0
            if param.snapshot_after_train and not on_schedule:
                self.snapshot()
            if self.stopped:
                log.info("Optimization stopped early.")
                return
            if param.display and self.iteration % param.display == 0:
                self._display_final()
            if param.test_interval and self.iteration % param.test_interval == 0:
                self.test_all()
            log.info("Optimization Done.")
        finally:
            for callback in self.callbacks:
                callback.on_stop(self)

    def step(self, iterations: int) -> None:
        """Make so many updates, or fewer if a stop is requested."""
        param = self.param
        self._displayed = self.iteration, time.perf_counter()
        for _ in range(iterations):
            if (
                param.test_interval
                and self.iteration % param.test_interval == 0
                and (self.iteration > 0 or param.test_initialization)
            ):
                self.test_all()
                if self.stopped:
                    return
            self.net.clear_param_diffs()
            display = bool(param.display) and self.iteration % param.display == 0
            self.net.debug_info = self.net.param.debug_info or (display and param.debug_info)
            loss = self._accumulate(read=display or param.average_loss > 1)
            if display:
                self._display(loss)
            self.apply_update()
            for callback in self.callbacks:
                callback.on_iteration(self)
            self._answer_requests()
            if param.snapshot and self.iteration % param.snapshot == 0:
                self.snapshot()
            if self.stopped:
                return

    def _accumulate(self, *, read: bool) -> float:
        """iter_size passes forward and backward; their mean loss, smoothed over average_loss iterations, if
        read."""
        total = 0.0
        for _ in range(self.param.iter_size):
            self.net.stage()
            self.net.run_forward()
            if read or self.device.synchronous:
                self.net.verify()
            if read:
                total += self.net.loss()
            self.net.run_backward()
        if not read:
            return 0.0
        self.losses.append(total / self.param.iter_size)
        return sum(self.losses) / len(self.losses)

    def _answer_requests(self) -> None:
        while self.requests:
            if self.requests.popleft() == "snapshot":
                self.snapshot()
            else:
                self.stopped = True

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
        self._display_outputs("Train", self.net, self._outputs(self.net))

    def _display_final(self) -> None:
        """One more forward pass after the last update, as Caffe does, so that the log ends with its loss."""
        self.net.stage()
        self.net.run_forward()
        self.net.verify()
        self.losses.append(self.net.loss())
        log.info(f"Iteration {self.iteration}, loss = {number(sum(self.losses) / len(self.losses))}")

    @staticmethod
    def _outputs(net: Net) -> dict[str, np.ndarray]:
        """Every element of every output blob, by name, in Caffe's order."""
        return {name: net.device.get(net.blobs[name].data).astype(np.float64).ravel() for name in net.outputs}

    @staticmethod
    def _display_outputs(what: str, net: Net, outputs: dict[str, np.ndarray]) -> None:
        index = 0
        for name, values in outputs.items():
            weight = net.loss_weight(name)
            for value in values:
                loss = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
                log.info(f"    {what} net output #{index}: {name} = {number(value)}{loss}")
                index += 1

    def test_all(self) -> None:
        """Run every test net; stops in between if a stop is requested."""
        for index in range(len(self.test_nets)):
            if not self.stopped:
                self.test(index)

    def test(self, index: int = 0) -> dict[str, list[float]] | None:
        """Run test net `index` for its test_iter batches on the present weights.

        Returns the mean of every output element, by blob; None if a stop was requested on the way.
        """
        net, batches = self.test_nets[index], self.param.test_iter[index]
        log.info(f"Iteration {self.iteration}, Testing net (#{index})")
        sums: dict[str, np.ndarray] = {}
        loss = 0.0
        for _ in range(batches):
            self._answer_requests()
            if self.stopped:
                log.info("Test interrupted.")
                return None
            net.stage()
            net.run_forward()
            net.verify()
            if self.param.test_compute_loss:
                loss += net.loss()
            for name, values in self._outputs(net).items():
                if name in sums and sums[name].size != values.size:
                    raise DataError(
                        f"test output {name!r} has {values.size} elements; before it had {sums[name].size}"
                    )
                sums[name] = sums[name] + values if name in sums else values
        means = {name: values / batches for name, values in sums.items()}
        if self.param.test_compute_loss:
            log.info(f"Test loss: {number(loss / batches)}")
        self._display_outputs("Test", net, means)
        results = {name: values.tolist() for name, values in means.items()}
        for callback in self.callbacks:
            callback.on_test(self, index, results)
        return results

    # -- snapshots

    def snapshot(self) -> Path:
        """Write weights, solver state and run state as <snapshot_prefix>_iter_<iteration>.*; returns the path
        of the solver state."""
        history = []
        for block in self.history:
            host = self.device.get(block)
            for owned in self.net.parameters.owned:
                part = host[owned.offset : owned.offset + owned.blob.count]
                history.append(part.reshape(owned.blob.shape))
        run = {
            "iteration": self.iteration,
            "seed": self.seed,
            "train_passes": self.net.passes,
            "test_passes": [net.passes for net in self.test_nets],
            "losses": list(self.losses),
        }
        state = State(self.iteration, self.policy.current_step, history, run=run)
        message = self.net.to_message(diff=self.param.snapshot_diff)
        prefix = self.param.snapshot_prefix
        snapshot.check_writable(prefix)
        path = snapshot.write(prefix, message, state, as_hdf5=snapshot.wants_hdf5(self.param))
        for callback in self.callbacks:
            callback.on_snapshot(self, path)
        return path

    def restore(self, path: str | Path) -> None:
        """Continue from a solver state: ours, or one that Caffe wrote.

        With a run state beside it the run continues exactly: same data, same random numbers, same averages.
        Without, the data continues where the iteration says that it should be.  Raises WeightsError.
        """
        state = snapshot.read_state(path)
        shapes = [owned.blob.shape for owned in self.net.parameters.owned] * self.slots
        snapshot.check_history(state.history, shapes, path)
        weights = snapshot.find_weights(state, path)
        if weights:
            self.net.load(weights)
        log.info(f"{self.type}Solver: restoring history")
        places = [(block, owned.offset) for block in self.history for owned in self.net.parameters.owned]
        for array, (block, offset) in zip(state.history, places):
            self.device.put(array.ravel(), block[offset : offset + array.size])
        self.iteration = state.iteration
        self.policy.current_step = state.current_step
        self._restore_run(state, path)

    def _restore_run(self, state: State, path: str | Path) -> None:
        run, tests = state.run, len(self.test_nets)
        if run and run["iteration"] != state.iteration:
            raise WeightsError(
                f"{path}: its run state is of iteration {run['iteration']}, not {state.iteration}"
            )
        if run and self.param.random_seed < 0:
            self.seed = run["seed"]
            for net in (self.net, *self.test_nets):
                net.reseed(self.seed)
        if run and len(run["test_passes"]) == tests:
            passes = [run["train_passes"], *run["test_passes"]]
        else:
            interval = self.param.test_interval
            tested = -(-state.iteration // interval) if interval else 0
            tested -= 0 if self.param.test_initialization or not tested else 1
            passes = [state.iteration * self.param.iter_size, *(tested * n for n in self.param.test_iter)]
        for net, count in zip((self.net, *self.test_nets), passes):
            net.passes = count
        self.losses.clear()
        self.losses.extend(run.get("losses", ()))
