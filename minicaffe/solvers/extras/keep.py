"""keep_best and keep_last: which snapshots stay on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ... import log
from ...errors import ConfigError
from .. import snapshot
from ..callbacks import Callback
from .watch import Watch


class Keep(Callback):
    """keep_best makes a snapshot whenever the watched output is the best so far, and keeps its weights as
    <snapshot_prefix>_best.caffemodel too; keep_last: N removes all snapshots of this run but the N newest and
    the best one.

    Nothing is removed before its successor is on the disk, and nothing that this run, or the run that it
    resumes, did not write.  With keep_best alone only what was the best once is removed.
    """

    key = "keep"

    def __init__(self, solver) -> None:
        param = solver.param
        if not param.snapshot_prefix:
            field = "keep_best" if param.HasField("keep_best") else "keep_last"
            raise ConfigError(f"{field} needs snapshot_prefix", field=field)
        if param.HasField("keep_last") and param.keep_last < 1:
            raise ConfigError(f"keep_last must be at least 1; got {param.keep_last}", field="keep_last")
        if param.keep_best.HasField("patience"):
            raise ConfigError("keep_best takes no patience", field="keep_best.patience")
        self.last = param.keep_last if param.HasField("keep_last") else None
        self.watch = Watch(solver, "keep_best") if param.HasField("keep_best") else None
        self.written: list[list] = []  # stem, and whether only for being the best, in order
        self.asked = False  # the next snapshot is for the best

    def on_test(self, solver, results) -> None:
        if self.watch is None or not self.watch.better(solver.iteration, results):
            return
        if self.written and _iteration(self.written[-1][0]) == solver.iteration:
            self._settle(self.written[-1][0])
        else:
            self.asked = True
            solver.requests.append("snapshot")

    def on_snapshot(self, solver, path) -> None:
        if path is not None:
            stem = snapshot.stem_of(path)
            self.written = [entry for entry in self.written if entry[0] != stem]
            self.written.append([stem, self.asked])
            self._settle(stem)
        self.asked = False

    def _settle(self, newest: str) -> None:
        """With the newest snapshot safe: name the best, remove what is no longer wanted."""
        best = self.watch.at if self.watch is not None and self.watch.best is not None else None
        if best == _iteration(newest):
            _name_best(newest)
        recent = [entry[0] for entry in self.written[-(self.last or 1) :]]
        for stem, for_best in list(self.written):
            superseded = self.last is not None or for_best
            if superseded and stem not in recent and _iteration(stem) != best:
                _remove(stem)
                self.written.remove([stem, for_best])

    def state(self) -> dict[str, Any]:
        return {"written": self.written, "watch": self.watch.state() if self.watch else None}

    def restore(self, solver, state, stem) -> None:
        self.written = [list(entry) for entry in state["written"]]
        if self.watch is not None and state["watch"]:
            self.watch.restore(state["watch"])
        for_best = self.watch is not None and self.watch.at == _iteration(stem)
        self.written.append([stem, for_best])


def _iteration(stem: str) -> int:
    return snapshot.iteration_of(stem)


def _name_best(stem: str) -> None:
    """Let <prefix>_best.caffemodel be the weights of this snapshot: averaged ones, if there are any."""
    prefix = stem[: stem.rindex("_iter_")]
    weights = [path for path in snapshot.files_of(stem) if ".caffemodel" in path.name]
    source = next((path for path in weights if "_ema." in path.name), weights[0])
    target = Path(f"{prefix}_best.caffemodel" + (".h5" if source.suffix == ".h5" else ""))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.unlink(missing_ok=True)
        os.link(source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        log.warning(f"cannot write {target}: {error.strerror or error}")


def _remove(stem: str) -> None:
    for path in snapshot.files_of(stem):  # the solver state first: without it there is no snapshot
        try:
            path.unlink()
        except OSError as error:
            log.warning(f"cannot remove {path}: {error.strerror or error}")
