"""minicaffe data: list, fetch and describe data sets."""

from __future__ import annotations

import argparse
import importlib
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..checking.table import aligned
from ..data import datasets
from ..data.database import FILE, Database
from ..data.datasets import SETS
from ..data.facts import backend
from ..errors import ConfigError, DataError, locate
from ..printable import printable
from . import flags, terminal

USAGE = "minicaffe data list, data get NAME..., data info NAME, data make SOURCE"
ELSEWHERE = {"make": "data_make"}  # action -> the module of this package that has its flags


def parser() -> flags.Parser:
    p = flags.Parser(
        "data", "List, fetch and describe data sets.  `data make --help` says how to make one of images."
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
    {"list": _list, "get": _get, "info": _info}[options.action](options)
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
        cells.append([row["name"], str(row["images"]), _times(row["shape"]), str(row["classes"]), where])
    head = ["name", "images", "shape", "classes", "where"]
    terminal.show(aligned(head, cells, "<>>><", width=terminal.width(), leaving=["classes"]))


def _get(options: argparse.Namespace) -> None:
    """Fetch sets that are not here, and check the contents of every file."""
    for dataset in [datasets.named(name) for name in options.names]:
        for name, split in dataset.splits.items():
            paths = datasets.find(dataset, split) or datasets.get(dataset, split)
            for path, file in zip(paths, (split.images, split.labels)):
                digest = datasets.sha256(path)
                if digest != file.sha256:
                    raise DataError(
                        f"{path}: not as published: expected contents of SHA-256 {file.sha256}; got {digest}",
                        hint="delete the file and run the command again",
                    )
            terminal.say(f"{dataset.name}/{name}: {paths[0].parent}")


def _info(options: argparse.Namespace) -> None:
    """What a source holds, read from its files."""
    whole = SETS.get(options.names[0])
    sources = [f"{whole.name}/{split}" for split in whole.splits] if whole else [options.names[0]]
    facts = [_facts(source) for source in sources]
    if options.json:
        terminal.show(json.dumps(facts if whole else facts[0], indent=2))
        return
    terminal.show("\n\n".join(map(_spell, facts)))


def _facts(source: str) -> dict[str, Any]:
    if backend(source) == "LMDB":
        return _of_database(source)
    part = datasets.named_part(source)
    dataset = part[0] if part else None
    images, labels = datasets.load(source, download=False)
    values, counts = np.unique(np.asarray(labels), return_counts=True)
    published = {file.name: file.sha256 for file in dataset.files} if dataset else {}
    files: list[dict[str, Any]] = []
    for path in filter(None, datasets.files(source, download=False)):
        digest = datasets.sha256(path)
        files.append({"path": str(path), "sha256": digest})
        if dataset:
            files[-1]["as published"] = digest == published[path.name.removesuffix(".gz")]
    return {
        "name": source,
        "images": len(images),
        "shape": list(images.shape[1:]),
        "type": images.dtype.name,
        "pixels": [images.min().item(), images.max().item()],
        "classes": {str(value): count for value, count in zip(values.tolist(), counts.tolist())},
        "files": files,
        "source": dataset.title if dataset else None,
        "licence": dataset.licence if dataset else None,
    }


def _of_database(source: str) -> dict[str, Any]:
    """The facts of an LMDB, of which every record is read; its images may have many sizes."""
    database = Database(source)
    low, high, kinds = np.inf, -np.inf, set()
    shapes: Counter[tuple[int, ...]] = Counter()
    classes: Counter[int] = Counter()
    for index in range(len(database)):
        with locate(partial(database.place, index)):
            image, label = database.read(index)
        low, high = min(low, image.min().item()), max(high, image.max().item())
        kinds.add(image.dtype.name)
        shapes[image.shape] += 1
        classes[label] += 1
    path = Path(source, FILE)
    return {
        "name": source,
        "images": len(database),
        "shape": list(shapes.most_common(1)[0][0]),
        "shapes": len(shapes),
        "type": " and ".join(sorted(kinds)),
        "pixels": [low, high],
        "classes": {str(label): classes[label] for label in sorted(classes)},
        "files": [{"path": str(path), "sha256": datasets.sha256(path)}],
        "source": None,
        "licence": None,
    }


def _spell(facts: dict[str, Any]) -> str:
    low, high = facts["pixels"]
    size = _times(facts["shape"])
    if facts.get("shapes", 1) > 1:
        size = f"{facts['shapes']} sizes, most of them {size}"
    lines = [
        facts["name"],
        f"  images   {facts['images']} of {size}, {facts['type']} from {low} to {high}",
        f"  labels   {len(facts['classes'])} classes",
    ]
    width = max(map(len, facts["classes"]))
    lines += [f"           {name:>{width}}  {count}" for name, count in facts["classes"].items()]
    for i, file in enumerate(facts["files"]):
        lines.append(f"  {'files' if i == 0 else '':7}  {file['path']}")
        verdict = {True: ", as published", False: ", NOT as published", None: ""}[file.get("as published")]
        lines.append(f"           SHA-256 of its contents {file['sha256']}{verdict}")
    for name in ("source", "licence"):
        if facts[name]:
            lines.append(f"  {name:7}  {facts[name]}")
    return "\n".join(map(printable, lines))


def _times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
