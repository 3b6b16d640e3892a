"""Snapshots: weights and solver state in Caffe's formats, and beside them a file of our own.

    P_iter_N.caffemodel    the net with its weights                  Caffe reads and writes these two;
    P_iter_N.solverstate   iteration, current_step and history       with .h5 behind the name in HDF5
    P_iter_N.runstate      seed, position in the data, losses being averaged, state of the callbacks, and the
                           SHA-256 of the other files: JSON
    P_iter_N_ema.caffemodel  the averaged weights, if the solver averages them; _testK: parameters that
                             only test net K has

All reach the disk before the first takes its name, and the solver state takes its name last: a snapshot whose
solver state exists is complete, and the checksums tell if it still is.  A resumed run with the run state
continues exactly; without it, with the data at the position that the iteration implies.
"""

from __future__ import annotations

import hashlib
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
from ..files import PIECE_BYTES, open_file, probe, refuse_unwritable, write_together
from ..proto import binary, hdf5, upgrade
from ..proto.schema import NetParameter, SolverParameter, SolverState
from . import runstate


@dataclass
class State:
    """A solver between two iterations, as stored."""

    iteration: int
    current_step: int
    history: list[np.ndarray]  # one array per slot and parameter
    learned_net: str = ""  # path of the weights, as written
    path: Path | None = None  # the file it was read from
    run: dict = field(default_factory=dict)  # the run state; empty if there is none


def write(
    prefix: str,
    net: NetParameter,
    state: State,
    *,
    as_hdf5: bool,
    more: Mapping[str, NetParameter] = {},
    told: bool = True,
) -> Path:
    """Write the files of a snapshot; returns the path of the solver state.

    more   further weights, by what their names have behind the iteration, such as "_ema"
    told   whether the log says so; not where the files have yet to take their names

    Raises WeightsError naming the snapshot if it cannot be written.  What stands there already with the same
    content is left alone, so that writing a snapshot again puts nothing at risk.
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
    if told:
        log.info(f"Snapshotting to {form} file {weights}")
    try:
        last = files.pop(solverstate)
        files[f"{stem}.runstate"] = runstate.spell(state.run, sums)
        files[solverstate] = last
        write_together({path: content for path, content in files.items() if not _holds(path, content)})
    except OSError as error:
        raise WeightsError(f"cannot write snapshot {stem}: {error.strerror or error}") from None
    if told:
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
    stored = _read_stored(path)
    with locate(str(path)):
        history = [binary.to_array(blob) for blob in stored.history]
    if stored.iter < 0 or stored.current_step < 0:
        raise WeightsError(f"{path}: iteration {stored.iter}, step {stored.current_step}: it is damaged")
    state = State(stored.iter, stored.current_step, history, stored.learned_net, Path(path))
    beside = Path(f"{stem_of(path)}.runstate")
    if beside.exists():
        state.run = runstate.read(beside)
        _check_sum(state, Path(path))
    return state


def _read_stored(path: str | Path) -> SolverState:
    as_hdf5 = str(path).endswith(".h5")
    if as_hdf5 and hdf5.is_state(path):
        return hdf5.to_state(path)
    stored = SolverState() if as_hdf5 else binary.read(path, SolverState)
    if not stored.HasField("iter"):
        hint = "a .solverstate is what a training resumes from"
        with suppress(MiniCaffeError):
            weights = hdf5.to_weights(path) if as_hdf5 else binary.read(path, NetParameter)
            if weights.layer or weights.layers:
                hint = "it holds weights: --weights begins a training with them"
        raise WeightsError(f"{path} holds no solver state", hint=hint)
    return stored


def find_weights(state: State, path: str | Path) -> Path | None:
    """The weights that belong to the state in `path`: beside it, else where it says; None if it names none.

    Raises WeightsError if they are gone, or are not the ones that were written with the state.
    """
    if not state.learned_net:
        return None
    stored = Path(state.learned_net)
    candidates = [place for place in (Path(path).parent / stored.name, stored) if _is_file(place)]
    for candidate in candidates:
        if _fits(state, candidate):
            return candidate
    for candidate in candidates:
        _check_sum(state, candidate)
    raise WeightsError(f"{path}: its weights {str(stored)[:200]} are neither beside it nor there")


def further_weights(state: State, name: str) -> Path | None:
    """The weights that `write` was given as more[name]; None if there were none.  WeightsError if they are
    gone or damaged."""
    if state.path is None:
        return None
    for file in state.run.get("sha256", {}):
        if file.startswith(f"{Path(stem_of(state.path)).name}{name}."):
            beside = state.path.parent / file
            if not _is_file(beside):
                raise WeightsError(f"{state.path}: its weights {beside} are gone")
            _check_sum(state, beside)
            return beside
    return None


def check_whole(path: Path) -> None:
    """Raises a MiniCaffeError unless all files of a snapshot are there and undamaged; without checksums,
    unless they can be read."""
    state = read_state(path)
    weights = find_weights(state, path)
    for file in state.run.get("sha256", {}):
        if _is_file(path.parent / file):
            _check_sum(state, path.parent / file)
        elif file != (weights and weights.name):
            raise WeightsError(f"{path.parent / file} is gone")
    if weights and not state.run:
        if hdf5.is_hdf5(weights):
            with hdf5.open_weights(weights) as stored:
                for datasets in stored.values():
                    for dataset in datasets.values():
                        hdf5.read(dataset)
        else:
            upgrade.read_weights(weights)


def newest(prefix: str) -> Path | None:
    """The solver state of the newest whole snapshot with this prefix, None if there is no snapshot at all.

    Each newer one that is not whole is named in the log with the reason; what a killed process left
    half-written is removed.  WeightsError if there are snapshots, but none is whole: to begin anew would
    overwrite them.
    """
    _remove_torn(prefix)
    found = sorted(_snapshots(prefix), key=iteration_of, reverse=True)
    for path in found:
        try:
            check_whole(path)
        except MiniCaffeError as error:
            log.warning(f"Passing over {path}: {error}")
        else:
            return path
    if found:
        raise WeightsError(
            f"none of the {len(found)} snapshots {prefix}_iter_N is whole (see above)",
            hint="move them away to begin anew",
        )
    return None


def files_of(stem: str) -> list[Path]:
    """The files that were written with a snapshot of ours: those that its run state lists and that bear its
    name, the solver state first.  Empty without a run state: then nobody knows whose they are."""
    beside = Path(f"{stem}.runstate")
    try:
        names = runstate.own_files(stem, list(runstate.read(beside)["sha256"]))
    except MiniCaffeError:
        return []
    files = [*sorted(names, key=lambda name: ".solverstate" not in name), beside.name]
    return [path for name in files if _is_file(path := beside.parent / name)]


def _snapshots(prefix: str) -> Iterator[Path]:
    """The solver states with this prefix."""
    folder, base = os.path.split(prefix)
    for path in Path(folder).glob(f"{_literal(base)}_iter_*.solverstate*"):
        if stem_of(path.name) == f"{base}_iter_{iteration_of(path)}":
            yield path


def _remove_torn(prefix: str) -> None:
    """Remove the temporary files (`files.temporary_name`) of this prefix whose process has ended."""
    folder, base = os.path.split(prefix)
    for path in Path(folder).glob(f".{_literal(base)}_iter_*.part"):
        owner = re.search(r"\.(\d{1,9})-[0-9a-f]+\.part$", path.name)
        if owner and path.is_file() and not _alive(int(owner[1])):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning(f"cannot remove {path}: {error.strerror or error}")


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


def check_writable(prefix: str, *, trial: bool = True) -> None:
    """Try a file with the prefix, before hours of training depend on it; without `trial` only look whether
    one could be written.  Raises WeightsError if that fails.  Caffe's trial, <prefix>_iter_0.tempfile,
    removes a file of that name; this one has a name that nobody else has."""
    stem = Path(f"{prefix}_iter_0")
    try:
        (probe if trial else refuse_unwritable)(stem)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        missing = isinstance(error, FileNotFoundError)
        reason = f"there is no folder {stem.parent}" if missing else getattr(error, "strerror", None) or error
        raise WeightsError(
            f"snapshot_prefix: cannot write snapshots as {prefix}_iter_N: {reason}",
            hint=f"mkdir -p {stem.parent}"
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


def _is_file(path: Path) -> bool:
    """Whether there is a file; no for what cannot be the name of one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _holds(path: str, content: bytes) -> bool:
    """Whether a file has exactly this content."""
    place = Path(path)
    return place.is_file() and place.stat().st_size == len(content) and place.read_bytes() == content


def _fits(state: State, path: Path) -> bool:
    """Whether a file is the one that was written with the state, as far as that is known."""
    wanted = state.run.get("sha256", {}).get(path.name)
    if not wanted:
        return True
    digest = hashlib.sha256()
    with open_file(path) as file:
        while part := file.read(PIECE_BYTES):
            digest.update(part)
    return digest.hexdigest() == wanted


def _check_sum(state: State, path: Path) -> None:
    if not _fits(state, path):
        raise WeightsError(
            f"{path}: not the file that was written with this snapshot",
            hint="it is damaged, or of another run",
        )
