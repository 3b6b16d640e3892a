"""What a solver must remember to go on exactly where it was, and taking it up again."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import log
from ..errors import WeightsError
from ..net import Position
from . import snapshot

if TYPE_CHECKING:
    from .solver import Solver


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


def restore(solver: Solver, path: str | Path) -> None:
    """Continue from a solver state: ours, or one that Caffe wrote.

    With a run state beside it the run continues exactly: same data, same random numbers, same averages.
    Without, the data continues where the iteration says that it should be.  Raises WeightsError for a state
    of another net or solver type, or one that is damaged; nothing is changed then but, perhaps, the weights.
    """
    state = snapshot.read_state(path)
    run = state.run
    if run and run["iteration"] != state.iteration:
        raise WeightsError(f"{path}: its run state is of iteration {run['iteration']}, not {state.iteration}")
    if run and run["type"] != solver.type:
        raise WeightsError(
            f"{path}: the state of a solver of type {run['type']}; this one is of type {solver.type}",
            hint="--weights takes up the weights alone",
            field="type",
        )
    shapes = [owned.blob.shape for owned in solver.net.parameters.owned] * solver.slots
    snapshot.check_history(state.history, shapes, path)
    weights = snapshot.find_weights(state, path)
    if weights:
        solver.net.load(weights)
    log.info(f"{solver.type}Solver: restoring history")
    places = [(block, owned.offset) for block in solver.history for owned in solver.net.parameters.owned]
    for array, (block, offset) in zip(state.history, places):
        solver.device.put(array.ravel(), block[offset : offset + array.size])
    solver.iteration = state.iteration
    solver.policy.current_step = state.current_step
    solver.losses.clear()
    if run:
        _restore_run(solver, run, path)
    else:
        _guess_positions(solver)


def _restore_run(solver: Solver, run: dict[str, Any], path: str | Path) -> None:
    if solver.param.random_seed < 0:
        solver.seed = run["seed"]
        for net in (solver.net, *solver.test_nets):
            net.reseed(solver.seed)
    solver.net.seek(unpack(run["train"], path))
    if len(run["tests"]) == len(solver.test_nets):
        for net, packed in zip(solver.test_nets, run["tests"]):
            net.seek(unpack(packed, path))
        solver.tested = run["tested"]
    else:
        _guess_tests(solver)
    solver.losses.extend(run["losses"])
    solver.policy.factor = run["rate_factor"]
    for callback in solver.callbacks:
        if callback.key in run["callbacks"]:
            callback.restore(solver, run["callbacks"][callback.key], snapshot.stem_of(path))


def _guess_positions(solver: Solver) -> None:
    """Where the nets would be after so many iterations of an uninterrupted run."""
    solver.net.seek(Position(solver.iteration * solver.param.iter_size))
    _guess_tests(solver)


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


def unpack(packed: dict[str, Any], path: str | Path) -> Position:
    """What `pack` made of a position; `path` is for errors."""
    try:
        carried = {
            layer: [
                np.frombuffer(base64.b64decode(a["base64"]), a["type"]).reshape(a["shape"]) for a in arrays
            ]
            for layer, arrays in packed["carried"].items()
        }
        return Position(packed["passes"], carried)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise WeightsError(
            f"{path}: its run state is damaged", hint="delete it to resume without it"
        ) from None
