"""minicaffe data: list, fetch and describe data sets."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from ..data import datasets
from ..data.datasets import SETS
from ..errors import DataError


def run(args: list[str]) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="minicaffe data", description="List, fetch and describe data sets.")
    commands = parser.add_subparsers(metavar="list | get | info", required=True)
    listing = commands.add_parser("list", help="what there is, and where it was found")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_list)
    getting = commands.add_parser("get", help="download what is not here, and check what is")
    getting.add_argument("names", nargs="+", metavar="NAME", help=f"a set: {', '.join(SETS)}")
    getting.set_defaults(run=_get)
    describing = commands.add_parser("info", help="shape, classes, pixels, files, source and licence")
    describing.add_argument(
        "source", metavar="NAME", help=f"{', '.join([*SETS, *datasets.names()])}, or a file of images"
    )
    describing.add_argument("--json", action="store_true", help="for programs")
    describing.set_defaults(run=_info)
    options = parser.parse_args(args)
    options.run(options)
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
        print(json.dumps(rows, indent=2))
        return
    table = [["name", "images", "shape", "classes", "where"]]
    for row in rows:
        where = row["where"] or f"not here: minicaffe data get {row['name'].split('/')[0]}"
        table.append([row["name"], str(row["images"]), _times(row["shape"]), str(row["classes"]), where])
    widths = [max(map(len, column)) for column in zip(*table)]
    for name, *numbers, where in table:
        middle = "  ".join(f"{text:>{width}}" for text, width in zip(numbers, widths[1:]))
        print(f"{name:{widths[0]}}  {middle}  {where}")


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
            print(f"{dataset.name}/{name}: {paths[0].parent}")


def _info(options: argparse.Namespace) -> None:
    """What a source holds, read from its files."""
    whole = SETS.get(options.source)
    sources = [f"{whole.name}/{split}" for split in whole.splits] if whole else [options.source]
    facts = [_facts(source) for source in sources]
    if options.json:
        print(json.dumps(facts if whole else facts[0], indent=2))
        return
    print("\n\n".join(map(_spell, facts)))


def _facts(source: str) -> dict[str, Any]:
    dataset = SETS[source.split("/")[0]] if source in datasets.names() else None
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


def _spell(facts: dict[str, Any]) -> str:
    low, high = facts["pixels"]
    lines = [
        facts["name"],
        f"  images   {facts['images']} of {_times(facts['shape'])}, {facts['type']} from {low} to {high}",
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
    return "\n".join(lines)


def _times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
