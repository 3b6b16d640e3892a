"""Curves from whatever a path names: a log, a metrics.jsonl, the folder of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import DataError, locate
from ..files import read_text
from . import caffe_log, jsonlines, metric_rows
from .curves import Curves
from .home import Home

SUFFIXES = (".jsonl", ".log", ".txt")


def read(path: str | os.PathLike, name: str = "") -> Curves:
    """The curves of a training.  What a file is is seen by its content; of a folder metrics.jsonl is read, or
    else log.txt.

    Raises DataError if the file cannot be read, or holds no display and no test.
    """
    file = _file(Path(path))
    # NULs stand where a power cut, or a program that moves logs away, has left a hole.
    data = read_text(file).replace("\0", "").encode("utf-8", "surrogateescape")
    name = name or short_names([path])[0]
    entries = jsonlines.read(file)
    with locate(str(file)):
        if any(metric_rows.is_row(entry) for entry in entries):
            return metric_rows.curves(entries, name)
        curves = caffe_log.read(data, name)
        if not curves.train and not curves.tests:
            raise DataError(
                "expected lines like 'Iteration 100, loss = 0.5' or 'Iteration 500, Testing net (#0)', or"
                f" rows of metrics.jsonl; none of its {len(data.splitlines())} lines is one",
                hint="name the log of a training, a metrics.jsonl or the folder of a --run",
            )
    return curves


def read_all(paths: Sequence[str | os.PathLike]) -> list[Curves]:
    """The curves of several trainings, by short names that tell them apart."""
    return [read(path, name) for path, name in zip(paths, short_names(paths))]


def short_names(paths: Sequence[str | os.PathLike]) -> list[str]:
    """The ends of paths, as long as it takes to tell them apart, without what all end in.

    >>> short_names(["runs/a/metrics.jsonl", "runs/b/metrics.jsonl"])
    ['a', 'b']
    >>> short_names(["new/log_adam.txt", "old/log_adam.txt", "log_sgd.txt"])
    ['new/log_adam', 'old/log_adam', 'log_sgd']
    """
    parts = [_named(Path(path)).parts for path in paths]
    while len(set(parts)) > 1 and len({p[-1:] for p in parts}) == 1:
        parts = [p[:-1] for p in parts]
    names = ["/".join(_end(p, set(parts) - {p})) for p in parts]
    stems = [str(Path(name).with_suffix("")) if Path(name).suffix in SUFFIXES else name for name in names]
    names = stems if len(set(stems)) == len(set(names)) else names
    return [
        f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _end(parts: tuple[str, ...], others: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The shortest end of a path that none of the others has."""
    depth = 1
    while any(other[-depth:] == parts[-depth:] for other in others):
        depth += 1
    return parts[-depth:]


def _named(path: Path) -> Path:
    """The path that says what it is: a file in the folder of a run goes by the folder's name."""
    path = Path(os.path.abspath(path))
    return path.parent if Home(path.parent).exists else path


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    home = Home(path)
    for file in (home.metrics, home.log):
        if file.is_file():
            return file
    raise DataError(f"{path} is not the folder of a run: it holds no {home.metrics.name}, no {home.log.name}")
