"""minicaffe runs: lists the runs in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ..checking.table import aligned
from ..log import number
from ..runs.listing import Run, runs
from . import flags, terminal

HEAD = ("run", "state", "iteration", "of", "best", "net", "solver", "started")


def parser() -> flags.Parser:
    p = flags.Parser("runs", "List the runs (minicaffe train --run) in a folder: state, progress, best test.")
    p.add_argument("folder", nargs="?", default=".", metavar="DIR", help="default: the working folder")
    p.flag("json", action="store_true", help="one JSON object per line")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    found = list(runs(Path(args.folder)))
    if args.json:
        for entry in found:
            terminal.show(json.dumps(asdict(entry)))
    elif found:
        terminal.show(table(found))
    else:
        terminal.say(f"no runs in {args.folder}")
    return 0


def table(entries: Iterable[Run]) -> str:
    leaving = ("solver", "started", "net")
    return aligned(HEAD, map(_row, entries), "<<>><<<<", width=terminal.width(), leaving=leaving)


def _row(entry: Run) -> tuple[str, ...]:
    best = f"{entry.best[0]} {number(entry.best[1])} at {entry.best[2]}" if entry.best else "-"
    numbers = f"{entry.iteration:,}", f"{entry.max_iter:,}"
    return entry.folder, entry.state, *numbers, best, entry.net or "-", entry.type, entry.started
