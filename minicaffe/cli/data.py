"""minicaffe data: list, fetch and describe data sets."""

from __future__ import annotations

import argparse
import importlib
import json
from typing import Any

from ..checking.table import aligned
from ..data import datasets
from ..data.datasets import SETS
from ..errors import ConfigError
from . import data_info, flags, terminal

USAGE = "minicaffe data list, data get NAME..., data info NAME, data make SOURCE, data preview NET"
# action -> the module of this package that has its flags
ELSEWHERE = {"make": "data_make", "preview": "data_preview"}


def parser() -> flags.Parser:
    p = flags.Parser(
        "data",
        "List, fetch and describe data sets.  `data make --help` says how to make one of images, `data"
        " preview --help` how to see what a net makes of its images.",
    )
    p.add_argument(
        "action",
        metavar="list|get|info",
        choices=("list", "get", "info"),
        help="what there is, and where it was found; download what is not here, and check what is; shape,"
        " classes, pixels, files, source and licence",
    )
    named = f"{', '.join([*SETS, *datasets.names()])}"
    p.add_argument("names", nargs="*", metavar="NAME", help=f"{named}; for info a file of images too")
    p.flag("json", action="store_true", help="for programs")
    return p


def run(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    if args and args[0] in ELSEWHERE:
        return importlib.import_module(f".{ELSEWHERE[args[0]]}", __package__).run(args[1:])
    options = parser().parse(args)
    counts = {"list": (0, 0), "get": (1, len(options.names)), "info": (1, 1)}
    least, most = counts[options.action]
    if not least <= len(options.names) <= most:
        raise ConfigError(f"{options.action} takes another number of names", hint=USAGE)
    if options.json and options.action == "get":
        raise ConfigError("--json goes with list and info", hint=USAGE)
    {"list": _list, "get": _get, "info": data_info.show}[options.action](options)
    return 0


def _list(options: argparse.Namespace) -> None:
    """A row per part of every set."""
    rows: list[dict[str, Any]] = []
    for dataset in SETS.values():
        for name, split in dataset.splits.items():
            found = datasets.find(dataset, split)
            rows.append(
                {
                    "name": f"{dataset.name}/{name}",
                    "images": split.samples,
                    "shape": list(dataset.shape),
                    "classes": dataset.classes,
                    "where": str(found[0].parent) if found else None,
                }
            )
    if options.json:
        terminal.show(json.dumps(rows, indent=2))
        return
    cells = []
    for row in rows:
        where = row["where"] or f"not here: minicaffe data get {row['name'].split('/')[0]}"
        cells.append(
            [row["name"], str(row["images"]), data_info.times(row["shape"]), str(row["classes"]), where]
        )
    head = ["name", "images", "shape", "classes", "where"]
    terminal.show(aligned(head, cells, "<>>><", width=terminal.width(), leaving=["classes"]))


def _get(options: argparse.Namespace) -> None:
    """Fetch sets that are not here, and check the contents of every file."""
    for dataset in [datasets.named(name) for name in options.names]:
        for name, split in dataset.splits.items():
            paths = datasets.find(dataset, split) or datasets.get(dataset, split)
            for path, file in zip(paths, (split.images, split.labels)):
                datasets.check(path, file)
            terminal.say(f"{dataset.name}/{name}: {paths[0].parent}")
