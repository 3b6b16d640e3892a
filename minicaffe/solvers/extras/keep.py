"""keep_best and keep_last: which snapshots are made for their results, and which stay on the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ... import log
from ...errors import ConfigError
from ...files import temporary_name, write_atomic
from ...net import Net
from ...proto.schema import SolverParameter
from .. import snapshot
from ..callbacks import Callback
from ..runstate import integer, mapping, sequence
from .watch import Watch


class Keep(Callback):
    """keep_best makes a snapshot whenever the watched output is the best so far, and keeps its weights as
    <snapshot_prefix>_best.caffemodel too; keep_last: N removes all snapshots of this run but the N newest and
    the best one.

    A snapshot is removed only after its successor is on the disk, and only if this run, or the run that it
    resumes, wrote it.  With keep_best alone only snapshots that were made for being the best are removed.
    """

    may_lag = True
    key = "keep"

    def __init__(self, param: SolverParameter, test_nets: Sequence[Net]) -> None:
        if not param.snapshot_prefix:
            field = "keep_best" if param.HasField("keep_best") else "keep_last"
            raise ConfigError(f"{field} needs snapshot_prefix", field=field)
        if param.HasField("keep_last") and param.keep_last < 1:
            raise ConfigError(f"keep_last must be at least 1; got {param.keep_last}", field="keep_last")
        if param.keep_best.HasField("patience"):
            raise ConfigError("keep_best takes no patience", field="keep_best.patience")
        self.last = param.keep_last if param.HasField("keep_last") else None
        self.watch = Watch(param, test_nets, "keep_best") if param.HasField("keep_best") else None
        self.prefix = param.snapshot_prefix
        self.written: dict[int, bool] = {}  # iterations, in order, and whether only for being the best
        self.best: int | None = None  # the snapshot of the best output, once it is on the disk
        self.asked = False  # the next snapshot is for the best

    def on_test(self, solver, results) -> None:
        if self.watch is None or not self.watch.better(solver.iteration, results):
            return
        if solver.iteration in self.written:
            self._settle(solver.iteration, best=True)
        else:
            self.asked = True
            solver.requests.append("snapshot")

    def on_snapshot(self, solver, path) -> None:
        if path is not None:
            self._note(solver.iteration, self.asked)
            self._settle(
                solver.iteration, best=self.watch is not None and self.watch.is_best_at(solver.iteration)
            )
        self.asked = False

    def _note(self, iteration: int, for_best: bool) -> None:
        self.written.pop(iteration, None)
        self.written[iteration] = for_best

    def _settle(self, newest: int, *, best: bool) -> None:
        """Called once the newest snapshot is on the disk: name the best, remove what is no longer wanted."""
        if best:
            self.best = newest
            _name_best(self._stem(newest), self.prefix)
        recent = list(self.written)[-(self.last or 1) :]
        for iteration, for_best in list(self.written.items()):
            superseded = self.last is not None or for_best
            if superseded and iteration not in recent and iteration != self.best:
                _remove(self._stem(iteration))
                del self.written[iteration]

    def _stem(self, iteration: int) -> str:
        return f"{self.prefix}_iter_{iteration}"

    def state(self) -> dict[str, Any]:
        return {
            "written": [[iteration, for_best] for iteration, for_best in self.written.items()],
            "best": self.best,
            "watch": self.watch.state() if self.watch else None,
        }

    def restore(self, solver, state, stored) -> None:
        """Take up what is known of the snapshots, if the stored one has this solver's prefix.  With another
        prefix nothing is taken up, so that this run removes none of the other's snapshots."""
        written = [sequence(pair) for pair in sequence(state["written"])]
        best = None if state["best"] is None else integer(state["best"])
        if self.watch is not None and state["watch"]:
            self.watch.restore(mapping(state["watch"]))
        self.written, self.best = {}, None
        here = self._stem(solver.iteration)
        if os.path.realpath(snapshot.stem_of(stored.path)) != os.path.realpath(here):
            return
        self.written = {integer(iteration): bool(for_best) for iteration, for_best in written}
        is_best = self.watch is not None and self.watch.is_best_at(solver.iteration)
        self.best = solver.iteration if is_best else best
        self._note(solver.iteration, is_best)


def _name_best(stem: str, prefix: str) -> None:
    """Let <prefix>_best.caffemodel be the weights of this snapshot: averaged ones, if there are any."""
    weights = [path for path in snapshot.files_of(stem) if ".caffemodel" in path.name]
    if not weights:
        log.warning(f"cannot write {prefix}_best.caffemodel: the weights of {stem} are gone")
        return
    source = next((path for path in weights if "_ema." in path.name), weights[0])
    target = Path(f"{prefix}_best.caffemodel" + (".h5" if source.suffix == ".h5" else ""))
    temporary = temporary_name(target)
    try:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without links
            write_atomic(temporary, source.read_bytes())
        os.replace(temporary, target)
    except OSError as error:
        log.warning(f"cannot write {target}: {error.strerror or error}")
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove(stem: str) -> None:
    for path in snapshot.files_of(stem):  # the solver state first: without it there is no snapshot
        try:
            path.unlink()
        except OSError as error:
            log.warning(f"cannot remove {path}: {error.strerror or error}")
