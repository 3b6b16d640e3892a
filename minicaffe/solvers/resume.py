"""What a solver must remember to go on exactly where it was, and taking it up again."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import log
from ..errors import MiniCaffeError, WeightsError
from ..net import Position
from ..net.weights import load
from ..proto.schema import NetParameter
from . import snapshot
from .runstate import REMEDY, finite, integer, mapping, number, sequence
from .snapshot import State

if TYPE_CHECKING:
    from .solver import Solver

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError)


def run_state(solver: Solver) -> dict[str, Any]:
    """The run state: all that Caffe's two files do not hold.  A copy."""
    return {
        "iteration": solver.iteration,
        "type": solver.type,
        "seed": solver.seed,
        "train": pack(solver.net.position),
        "tests": [pack(net.position) for net in solver.test_nets],
        "tested": solver.tested,
        "losses": list(solver.losses),
        "rate_factor": solver.policy.factor,
        "callbacks": {callback.key: callback.state() for callback in solver.callbacks if callback.key},
    }


def history(solver: Solver) -> list[np.ndarray]:
    """The history, as Caffe orders it: slot by slot, and in each the parameters in net order."""
    arrays = []
    for block in solver.history:
        host = solver.device.get(block)
        for owned in solver.net.parameters.owned:
            part = host[owned.offset : owned.offset + owned.blob.count]
            arrays.append(part.reshape(owned.blob.shape))
    return arrays


def own_weights(solver: Solver) -> dict[str, NetParameter]:
    """Parameters that only a test net has, by what the names of their files have behind the iteration."""
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


def restore(solver: Solver, path: str | Path) -> None:
    """Continue from a solver state: ours, or one that Caffe wrote.

    With a run state beside it the run continues exactly: same data, same random numbers, same averages.
    Without, the data continues where the iteration says that it should be.  Raises WeightsError for a state
    of another net or solver type, or one that is damaged; what it can tell it tells before anything changes.
    """
    state = snapshot.read_state(path)
    run = _checked(state, solver) if state.run else None
    shapes = [owned.blob.shape for owned in solver.net.parameters.owned] * solver.slots
    snapshot.check_history(state.history, shapes, path)
    weights = snapshot.find_weights(state, path)
    more = [snapshot.further_weights(state, f"_test{index}") for index in range(len(solver.test_nets))]
    if weights:
        solver.net.load(weights)
    for net, own in zip(solver.test_nets, more):
        if own:
            load(net.parameters, own, quiet=True)
    log.info(f"{solver.type}Solver: restoring history")
    places = [(block, owned.offset) for block in solver.history for owned in solver.net.parameters.owned]
    for array, (block, offset) in zip(state.history, places):
        solver.device.put(array.ravel(), block[offset : offset + array.size])
    solver.iteration = state.iteration
    solver.policy.current_step = state.current_step
    solver.losses.clear()
    solver.work.drop()
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


class Run(NamedTuple):
    """A run state, read and checked."""

    seed: int
    train: Position
    tests: list[Position]
    tested: int | None
    losses: list[float]
    rate_factor: float
    callbacks: dict[str, Any]


def _checked(state: State, solver: Solver) -> Run:
    """The run state of a snapshot.  WeightsError if it is damaged, or of another kind of solver."""
    run, path = state.run, state.path
    try:
        parsed = Run(
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
    if kind != solver.type:
        raise WeightsError(
            f"{path}: the state of a solver of type {kind}; this one is of type {solver.type}",
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


def _guess_tests(solver: Solver) -> None:
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
    """What `pack` made of a position; one of DAMAGE for what it did not."""

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
