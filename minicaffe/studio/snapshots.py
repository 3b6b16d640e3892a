"""The snapshots of a run, by name, and what the worker needs to know to build its net with one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, suggest
from ..runs.home import Home
from .answers import Missing

NAME = re.compile(r"(?P<stem>.+_iter_(?P<iteration>\d+))(?P<kind>_ema)?\.caffemodel(?P<ending>\.h5)?")


class Snapshot(NamedTuple):
    """Weights that a run wrote: the file, after how many iterations, and whether they are an average."""

    path: Path
    iteration: int
    averaged: bool

    @property
    def state(self) -> Path | None:
        """The solver state beside the weights."""
        found = NAME.fullmatch(self.path.name)
        path = (
            self.path.with_name(f"{found['stem']}.solverstate{found['ending'] or ''}") if found else self.path
        )
        return path if found and path.is_file() else None


def of(home: Home) -> list[Snapshot]:
    """The snapshots of a run, the newest first."""
    found = []
    for path in home.snapshots.glob("*.caffemodel*") if home.snapshots.is_dir() else ():
        named = NAME.fullmatch(path.name)
        if named and path.is_file():
            found.append(Snapshot(path, int(named["iteration"]), bool(named["kind"])))
    return sorted(found, key=lambda s: (-s.iteration, not s.averaged, s.path.name))


def named(home: Home, name: str = "") -> Snapshot:
    """The snapshot whose file has this name; "": the newest.  Missing if there is none, DataError for a run
    without any."""
    there = of(home)
    if not there:
        raise DataError(
            f"run {home.folder.name!r} has no snapshot yet", hint="take one, or wait for the first"
        )
    for one in there:
        if name in ("", one.path.name):
            return one
    names = [one.path.name for one in there]
    raise Missing(f"run {home.folder.name!r} has no snapshot {name!r}", hint=suggest(name, names))


def for_worker(home: Home, snapshot: Snapshot) -> dict[str, Any]:
    """What the functions of `picking` and `trying` call a run."""
    status = snapshot.path.stat()
    return {
        "net": str(home.folder / "net.prototxt"),
        "folder": home.read_job()["folder"],
        "weights": str(snapshot.path),
        "stamp": f"{status.st_mtime_ns}-{status.st_size}",
    }
