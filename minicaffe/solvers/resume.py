"""What a snapshot holds of a solver, and how a solver goes on from one."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import log
from ..errors import MiniCaffeError, WeightsError
from ..net import Position
from ..net.weights import load
from ..proto.schema import NetParameter
from . import snapshot
from .callbacks import Training
from .runstate import REMEDY, finite, integer, mapping, number, sequence
from .snapshot import State

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError)


def run_state(solver: Training) -> dict[str, Any]:
    """The run state, a copy: all that a run depends on and Caffe's two files do not hold."""
    return {
        "iteration": solver.iteration,
        "type": solver.rule.type,
        "seed": solver.seed,
        "train": pack(solver.net.position),
        "tests": [pack(net.position) for net in solver.test_nets],
        "tested": solver.tested,
        "losses": list(solver.losses),
        "rate_factor": solver.policy.factor,
        "callbacks": {callback.key: callback.state() for callback in solver.callbacks if callback.key},
    }


def history(solver: Training) -> list[np.ndarray]:
    """The history, as Caffe orders it: slot by slot, and in each the parameters in net order."""
    arrays = []
    for block in solver.history:
        host = solver.device.get(block)
        for owned in solver.net.parameters.owned:
            part = host[owned.offset : owned.offset + owned.blob.count]
            arrays.append(part.reshape(owned.blob.shape))
    return arrays


def own_weights(solver: Training) -> dict[str, NetParameter]:
    """The parameters that only a test net has, by what the names of their files have behind the iteration."""
    trained = {id(blob.data) for blobs in solver.net.params.values() for blob in blobs}
    found = {}
    for index, net in enumerate(solver.test_nets):
        own = {
            name for name, blobs in net.params.items() if any(id(blob.data) not in trained for blob in blobs)
        }
        if own:
            message = net.to_message()
            kept = [layer for layer in message.layer if layer.name in own]
            found[f"_test{index}"] = NetParameter(name=message.name, layer=kept)
    return found


def write(solver: Training, run: dict[str, Any]) -> Path:
    """Write a snapshot with this run state; returns the path of its solver state.  WeightsError if that
    fails."""
    state = State(solver.iteration, solver.policy.current_step, history(solver), run=run)
    with ExitStack() as stack:
        for callback in solver.callbacks:
            stack.enter_context(callback.training(solver))
        more = own_weights(solver)
        for callback in solver.callbacks:
            more |= callback.weights(solver)
        message = solver.net.to_message(diff=solver.param.snapshot_diff)
    as_hdf5 = snapshot.wants_hdf5(solver.param)
    return snapshot.write(solver.param.snapshot_prefix, message, state, as_hdf5=as_hdf5, more=more)


class Stored(NamedTuple):
    """A snapshot, read and found to fit a solver.

    weights  the file of the parameters, None if the state names none
    own      for each test net, the file of the parameters that only it has, None if it has none
    run      the run state, None if there is none
    """

    state: State
    weights: Path | None
    own: list[Path | None]
    run: RunState | None


class RunState(NamedTuple):
    """A run state, read and checked."""

    seed: int
    train: Position
    tests: list[Position]
    tested: int | None
    losses: list[float]
    rate_factor: float
    callbacks: dict[str, Any]


def read(solver: Training, path: str | Path) -> Stored:
    """Read the snapshot whose solver state is `path`, ours or Caffe's; the solver is not changed.

    Raises WeightsError for a state of another net or solver type, or one that is damaged.
    """
    state = snapshot.read_state(path)
    run = _checked(state, solver) if state.run else None
    shapes = [owned.blob.shape for owned in solver.net.parameters.owned] * solver.rule.slots
    snapshot.check_history(state.history, shapes, path)
    weights = snapshot.find_weights(state, path)
    own = [snapshot.further_weights(state, f"_test{index}") for index in range(len(solver.test_nets))]
    return Stored(state, weights, own, run)


def restore_values(solver: Training, stored: Stored) -> None:
    """Give parameters and history the values of a snapshot."""
    if stored.weights:
        solver.net.load(stored.weights)
    for net, own in zip(solver.test_nets, stored.own):
        if own:
            load(net.parameters, own, quiet=True)
    log.info(f"{solver.rule.type}Solver: restoring history")
    places = [(block, owned.offset) for block in solver.history for owned in solver.net.parameters.owned]
    for array, (block, offset) in zip(stored.state.history, places):
        solver.device.put(array.ravel(), block[offset : offset + array.size])


def restore_progress(solver: Training, stored: Stored) -> None:
    """Go on from the iteration of a snapshot.

    With a run state the run continues exactly: same data, same random numbers, same averages.  Without, the
    data continues where the iteration says that it should be.  Raises WeightsError if a callback finds that
    its state is damaged.
    """
    state, run = stored.state, stored.run
    solver.iteration = state.iteration
    solver.policy.current_step = state.current_step
    solver.losses.clear()
    if run is None:
        solver.net.seek(Position(solver.iteration * solver.param.iter_size))
        _guess_tests(solver)
        return
    if solver.param.random_seed < 0:
        solver.seed = run.seed
        for net in (solver.net, *solver.test_nets):
            net.reseed(solver.seed)
    solver.net.seek(run.train)
    if len(run.tests) == len(solver.test_nets):
        for net, position in zip(solver.test_nets, run.tests):
            net.seek(position)
        solver.tested = run.tested
    else:
        _guess_tests(solver)
    solver.losses.extend(run.losses)
    solver.policy.factor = run.rate_factor
    for callback in solver.callbacks:
        if callback.key in run.callbacks:
            try:
                callback.restore(solver, mapping(run.callbacks[callback.key]), state)
            except MiniCaffeError:
                raise
            except DAMAGE:
                raise _damaged(state.path) from None


def _checked(state: State, solver: Training) -> RunState:
    """The run state of a snapshot.  WeightsError if it is damaged, or of another kind of solver."""
    run, path = state.run, state.path
    try:
        parsed = RunState(
            _seed(run["seed"]),
            unpack(run["train"]),
            [unpack(packed) for packed in sequence(run["tests"])],
            None if run["tested"] is None else integer(run["tested"]),
            [number(loss) for loss in sequence(run["losses"])],
            finite(run["rate_factor"]),
            mapping(run["callbacks"]),
        )
        kind, iteration = str(run["type"])[:40], integer(run["iteration"])
    except DAMAGE:
        raise _damaged(path) from None
    if iteration != state.iteration:
        raise WeightsError(f"{path}: its run state is of iteration {iteration}, not {state.iteration}")
    if kind != solver.rule.type:
        raise WeightsError(
            f"{path}: the state of a solver of type {kind}; this one is of type {solver.rule.type}",
            hint="--weights takes up the weights alone",
            field="type",
        )
    return parsed


def _damaged(path: Path | None) -> WeightsError:
    return WeightsError(f"{path}: its run state is damaged", hint=REMEDY)


def _seed(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("no seed")
    return value


def _guess_tests(solver: Training) -> None:
    """Move the test nets to where they would be had every scheduled test been made."""
    interval = solver.param.test_interval
    tests = -(-solver.iteration // interval) if interval else 0
    tests -= 0 if solver.param.test_initialization or not tests else 1
    for net, batches in zip(solver.test_nets, solver.param.test_iter):
        net.seek(Position(tests * batches))
    solver.tested = None


def pack(position: Position) -> dict[str, Any]:
    """A position as JSON has it."""

    def as_json(a: np.ndarray) -> dict[str, Any]:
        return {
            "shape": list(a.shape),
            "type": str(a.dtype),
            "base64": base64.b64encode(a.tobytes()).decode(),
        }

    carried = {layer: list(map(as_json, arrays)) for layer, arrays in position.carried.items()}
    return {"passes": position.passes, "carried": carried}


def unpack(packed: dict[str, Any]) -> Position:
    """The position that `pack` was given; raises one of DAMAGE for what `pack` did not make."""

    def array(stored: dict[str, Any]) -> np.ndarray:
        kind = np.dtype(str(stored["type"]))
        if kind.kind not in "fiub":
            raise ValueError(f"{kind} is no type of numbers")
        data = base64.b64decode(stored["base64"], validate=True)
        return np.frombuffer(data, kind).reshape([integer(length) for length in stored["shape"]])

    carried = {
        layer: [array(stored) for stored in sequence(arrays)]
        for layer, arrays in mapping(packed["carried"]).items()
    }
    return Position(integer(packed["passes"]), carried)
