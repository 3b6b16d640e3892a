"""Snapshots: weights and solver state in Caffe's formats, and beside them a file of our own.

    P_iter_N.caffemodel    the net with its weights                  Caffe reads and writes these two;
    P_iter_N.solverstate   iteration, current_step and history       with .h5 behind the name in HDF5
    P_iter_N.runstate      seed, position in the data, losses being averaged, state of the callbacks, and the
                           SHA-256 of the other files: JSON
    P_iter_N_ema.caffemodel  the averaged weights, if the solver averages them

All reach the disk before the first takes its name, and the solver state takes its name last: a snapshot whose
solver state exists is complete, and the checksums tell if it still is.  A resumed run with the run state
continues exactly; without it, with the data at the position that the iteration implies.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import log
from ..errors import MiniCaffeError, WeightsError, locate
from ..files import write_together
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


def write(
    prefix: str, net: NetParameter, state: State, *, as_hdf5: bool, more: Mapping[str, NetParameter] = {}
) -> Path:
    """Write the files of a snapshot; returns the path of the solver state.

    more   further weights, by what their names have behind the iteration, such as "_ema"

    Raises WeightsError naming the snapshot if it cannot be written; then none of its files has changed.
    """
    stem, ending = f"{prefix}_iter_{state.iteration}", ".h5" if as_hdf5 else ""
    form = "HDF5" if as_hdf5 else "binary proto"
    weights, solverstate = f"{stem}.caffemodel{ending}", f"{stem}.solverstate{ending}"
    stored = SolverState(iter=state.iteration, learned_net=weights, current_step=state.current_step)
    stored.history.extend(map(binary.from_array, state.history))
    nets = {weights: net, **{f"{stem}{name}.caffemodel{ending}": other for name, other in more.items()}}
    files = {
        path: hdf5.from_weights(message) if as_hdf5 else message.SerializeToString()
        for path, message in nets.items()
    }
    files[solverstate] = hdf5.from_state(stored) if as_hdf5 else stored.SerializeToString()
    sums = {Path(path).name: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    run = {"format": RUNSTATE_FORMAT, **state.run, "sha256": sums}
    log.info(f"Snapshotting to {form} file {weights}")
    try:
        last = files.pop(solverstate)
        files[f"{stem}.runstate"] = json.dumps(run, indent=1).encode()
        write_together({**files, solverstate: last})
    except OSError as error:
        raise WeightsError(f"cannot write snapshot {stem}: {error.strerror or error}") from None
    log.info(f"Snapshotting solver state to {form} file {solverstate}")
    return Path(solverstate)


def stem_of(path: str | Path) -> str:
    """What the names of all files of a snapshot begin with, from its solver state."""
    return str(path).removesuffix(".h5").removesuffix(".solverstate")


def iteration_of(path: str | Path) -> int:
    """The iteration in the name of a solver state; -1 if there is none."""
    found = re.search(r"_iter_(\d+)$", stem_of(path))
    return int(found[1]) if found else -1


def read_state(path: str | Path) -> State:
    """The state in a .solverstate file (HDF5 if the name ends in .h5), with the run state if it lies beside
    it.

    Raises WeightsError, SchemaError or DataError, naming the file; also for a file that is not the one that
    was written.
    """
    stored = hdf5.to_state(path) if str(path).endswith(".h5") else binary.read(path, SolverState)
    with locate(str(path)):
        history = [binary.to_array(blob) for blob in stored.history]
    state = State(stored.iter, stored.current_step, history, stored.learned_net)
    runstate = Path(f"{stem_of(path)}.runstate")
    if runstate.exists():
        state.run = _read_runstate(runstate)
        _check_sum(state, Path(path))
    return state


def find_weights(state: State, path: str | Path) -> Path | None:
    """The weights that belong to the state in `path`: where it says, else beside it; None if it names none.

    Raises WeightsError if they are gone, or are not the ones that were written with the state.
    """
    if not state.learned_net:
        return None
    for candidate in (Path(state.learned_net), Path(path).parent / Path(state.learned_net).name):
        if candidate.exists():
            _check_sum(state, candidate)
            return candidate
    raise WeightsError(f"{path}: its weights {state.learned_net} are neither there nor beside it")


def newest(prefix: str) -> Path | None:
    """The solver state of the newest whole snapshot with this prefix, None if there is none.

    Each newer one that is not whole is named in the log with the reason; what a killed process left
    half-written is removed.
    """
    _remove_torn(prefix)
    for path in sorted(_snapshots(prefix), key=iteration_of, reverse=True):
        try:
            find_weights(read_state(path), path)
        except MiniCaffeError as error:
            log.warning(f"Passing over {path}: {error}")
        else:
            return path
    return None


def files_of(stem: str) -> list[Path]:
    """All files of the snapshot whose names begin with `stem`, the solver state first."""
    endings = [f".solverstate{h5}" for h5 in ("", ".h5")] + [".runstate"]
    endings += [f"{name}.caffemodel{h5}" for name in ("", "_ema") for h5 in ("", ".h5")]
    return [path for ending in endings if (path := Path(f"{stem}{ending}")).exists()]


def _snapshots(prefix: str) -> Iterator[Path]:
    """The solver states with this prefix."""
    base = Path(prefix)
    for path in base.parent.glob(f"{_literal(base.name)}_iter_*.solverstate*"):
        if stem_of(path) != str(path) and stem_of(path) == f"{base}_iter_{iteration_of(path)}":
            yield path


def _remove_torn(prefix: str) -> None:
    base = Path(prefix)
    for path in base.parent.glob(f".{_literal(base.name)}_iter_*.part"):
        owner = re.search(r"\.(\d+)-[0-9a-f]+\.part$", path.name)
        if owner and not _alive(int(owner[1])):
            path.unlink(missing_ok=True)


def _literal(name: str) -> str:
    """A file name as a pattern that matches nothing else."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _alive(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    with suppress(ProcessLookupError):
        try:
            os.kill(process, 0)
        except PermissionError:
            pass
        return True
    return False


def check_writable(prefix: str) -> None:
    """Try a file with the prefix, before hours of training depend on it.  Raises WeightsError if that
    fails."""
    probe = Path(f"{prefix}_iter_0.tempfile")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        missing = not probe.parent.exists()
        reason = f"there is no folder {probe.parent}" if missing else error.strerror or error
        raise WeightsError(
            f"snapshot_prefix: cannot write snapshots as {prefix}_iter_N: {reason}",
            hint=f"mkdir -p {probe.parent}"
            if missing
            else "choose another prefix, or make the folder writable",
            field="snapshot_prefix",
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


def _check_sum(state: State, path: Path) -> None:
    """WeightsError if a file is not the one that was written with the state."""
    wanted = state.run.get("sha256", {}).get(path.name)
    if wanted and hashlib.sha256(read_file(path)).hexdigest() != wanted:
        raise WeightsError(
            f"{path}: not the file that was written with this snapshot",
            hint="it is damaged, or of another run",
        )


def _read_runstate(path: Path) -> dict:
    try:
        run = json.loads(read_file(path))
        form = run["format"]
    except (ValueError, KeyError, TypeError):
        raise WeightsError(f"{path}: not a run state", hint="delete it to resume without it") from None
    if form != RUNSTATE_FORMAT:
        raise WeightsError(f"{path}: format {form}; this version reads {RUNSTATE_FORMAT}")
    return run
