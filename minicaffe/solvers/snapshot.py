"""Snapshots: weights and solver state in Caffe's formats, and beside them a file of our own.

    P_iter_N.caffemodel    the net with its weights                  Caffe reads and writes these two;
    P_iter_N.solverstate   iteration, current_step and history       with .h5 behind the name in HDF5
    P_iter_N.runstate      seed, position in the data, losses being averaged: JSON

Each file is written whole or not at all, and the solver state last: a snapshot whose solver state exists is
complete.  A resumed run with the run state continues exactly; without it, with the data at the position that
the iteration implies.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import log
from ..errors import WeightsError, locate
from ..files import write_atomic
from ..proto import binary, hdf5
from ..proto.schema import NetParameter, SolverParameter, SolverState
from ..proto.text import read_file

RUNSTATE_FORMAT = 1


@dataclass
class State:
    """A solver between two iterations, as stored."""

    iteration: int
    current_step: int
    history: list[np.ndarray]  # one array per slot and parameter
    learned_net: str = ""  # path of the weights, as written
    run: dict = field(default_factory=dict)  # the run state; empty if there is none


def write(prefix: str, net: NetParameter, state: State, *, as_hdf5: bool) -> Path:
    """Write the three files of a snapshot; returns the path of the solver state.

    Raises WeightsError naming the file if it cannot be written.
    """
    stem, ending = f"{prefix}_iter_{state.iteration}", ".h5" if as_hdf5 else ""
    form = "HDF5" if as_hdf5 else "binary proto"
    weights, solverstate = f"{stem}.caffemodel{ending}", f"{stem}.solverstate{ending}"
    stored = SolverState(iter=state.iteration, learned_net=weights, current_step=state.current_step)
    stored.history.extend(map(binary.from_array, state.history))
    content = hdf5.from_weights(net) if as_hdf5 else net.SerializeToString()
    run = {"format": RUNSTATE_FORMAT, **state.run, "weights_sha256": hashlib.sha256(content).hexdigest()}
    log.info(f"Snapshotting to {form} file {weights}")
    _write(weights, content)
    _write(f"{stem}.runstate", json.dumps(run, indent=1).encode())
    log.info(f"Snapshotting solver state to {form} file {solverstate}")
    _write(solverstate, hdf5.from_state(stored) if as_hdf5 else stored.SerializeToString())
    return Path(solverstate)


def read_state(path: str | Path) -> State:
    """The state in a .solverstate file (HDF5 if the name ends in .h5), with the run state if it lies beside
    it.

    Raises WeightsError, SchemaError or DataError, naming the file.
    """
    stored = hdf5.to_state(path) if str(path).endswith(".h5") else binary.read(path, SolverState)
    with locate(str(path)):
        history = [binary.to_array(blob) for blob in stored.history]
    state = State(stored.iter, stored.current_step, history, stored.learned_net)
    runstate = Path(str(path).removesuffix(".h5").removesuffix(".solverstate") + ".runstate")
    if runstate.exists():
        state.run = _read_runstate(runstate)
    return state


def find_weights(state: State, path: str | Path) -> Path | None:
    """The weights that belong to the state in `path`: where it says, else beside it; None if it names none.

    Raises WeightsError if they are gone, or are not the ones that were written with the state.
    """
    if not state.learned_net:
        return None
    for candidate in (Path(state.learned_net), Path(path).parent / Path(state.learned_net).name):
        if candidate.exists():
            wanted = state.run.get("weights_sha256")
            if wanted and hashlib.sha256(read_file(candidate)).hexdigest() != wanted:
                raise WeightsError(f"{candidate}: not the file that was written with {path}")
            return candidate
    raise WeightsError(f"{path}: its weights {state.learned_net} are neither there nor beside it")


def check_writable(prefix: str) -> None:
    """Make the folder of the prefix if need be, and try a file in it, before hours of training depend on it.

    Raises WeightsError if that fails.
    """
    probe = Path(f"{prefix}_iter_0.tempfile")
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise WeightsError(
            f"cannot write snapshots as {prefix}_iter_N: {error.strerror or error}",
            hint="choose another snapshot_prefix, or make the folder writable",
        ) from None


def check_history(history: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]], path: str | Path) -> None:
    """WeightsError unless the stored history has the arrays that the solver needs."""
    if len(history) != len(shapes):
        raise WeightsError(
            f"{path}: {len(history)} history arrays; this solver keeps {len(shapes)}",
            hint="resume with the solver type and the net that wrote it",
        )
    for i, (array, shape) in enumerate(zip(history, shapes)):
        if array.size != math.prod(shape):
            raise WeightsError(f"{path}: history {i} has shape {array.shape}; the parameter has {shape}")


def wants_hdf5(param: SolverParameter) -> bool:
    """Whether a SolverParameter asks for HDF5 snapshots."""
    return param.snapshot_format == SolverParameter.HDF5


def _write(path: str, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror or error}") from None


def _read_runstate(path: Path) -> dict:
    try:
        run = json.loads(read_file(path))
        form = run["format"]
    except (ValueError, KeyError, TypeError):
        raise WeightsError(f"{path}: not a run state", hint="delete it to resume without it") from None
    if form != RUNSTATE_FORMAT:
        raise WeightsError(f"{path}: format {form}; this version reads {RUNSTATE_FORMAT}")
    return run
