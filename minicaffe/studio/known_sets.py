"""Which data sets there are: those in the workspace, and the named ones whose files are here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..data import class_folders, datasets, facts
from ..data.detection import voc

LOOKED_AT = 1000  # entries of a folder, to tell whether it has changed


class KnownSet(NamedTuple):
    """A data set: its id, where the engine finds it (a name or a folder), whether it lies in the workspace,
    and what changes when it does."""

    id: str
    where: str
    own: bool
    version: str


def in_folder(path: Path) -> KnownSet:
    return KnownSet(path.name, str(path), True, _version(path))


def named() -> list[KnownSet]:
    """The named sets whose files are on this machine."""
    return [one for name in datasets.SETS if (one := of_name(name)) is not None]


def of_name(name: str) -> KnownSet | None:
    """The named set of this name; None if there is none, or its files are not here."""
    if name not in datasets.SETS:
        return None
    digest = hashlib.sha256()
    for split in datasets.SETS[name].splits.values():
        paths = datasets.find(datasets.SETS[name], split)
        if paths is None:
            return None
        for path in paths:
            _add(digest, path)
    return KnownSet(name, name, False, digest.hexdigest()[:16])


def is_one(path: Path) -> bool:
    """Whether a folder is a data set: one that `data make` wrote, a VOC folder, or train, val and test with
    class folders in them."""
    where = str(path)
    return bool(facts.summary(where) or voc.lists(where) or class_folders.parts(where))


def described(one: KnownSet) -> dict[str, Any]:
    """What is known of it without opening its images."""
    shown: dict[str, Any] = {
        "id": one.id,
        "name": one.id,
        "status": "Done",
        "own": one.own,
        "version": one.version,
    }
    if not one.own:
        dataset = datasets.SETS[one.where]
        return shown | {
            "kind": "idx",
            "title": dataset.title,
            "licence": dataset.licence,
            "shape": list(dataset.shape),
            "classes": dataset.classes,
            "parts": {name: split.samples for name, split in dataset.splits.items()},
            "sources": {name: f"{one.where}/{name}" for name in dataset.splits},
        }
    made = facts.summary(one.where)
    shown["sources"] = facts.parts(one.where)
    if made is None:
        kind = "voc" if voc.lists(one.where) else "folder"
        return shown | {
            "kind": kind,
            "parts": dict.fromkeys(shown["sources"]),
            "shape": None,
            "classes": None,
        }
    return shown | {
        "kind": made.get("kind"),
        "parts": {str(name): part.get("images") for name, part in made["parts"].items()},
        "shape": made.get("shape"),
        "classes": len(made.get("classes", [])) - (made.get("kind") == "voc"),  # the background is none
        "from": made.get("from"),
        "seed": made.get("seed"),
        "resize": made.get("resize"),
        "mean_values": made.get("mean_values"),
        "std_values": made.get("std_values"),
        "left_out": len(made.get("left out", [])),
    }


def _version(folder: Path) -> str:
    """Of names, sizes and times of what lies in a folder, and in the folders in it."""
    digest = hashlib.sha256(os.fsencode(folder))
    for path in _entries(folder):
        _add(digest, path)
    return digest.hexdigest()[:16]


def _entries(folder: Path) -> Iterator[Path]:
    left = LOOKED_AT
    for path in sorted(folder.iterdir()):
        for one in [path, *(sorted(path.iterdir())[:left] if path.is_dir() else ())]:
            if (left := left - 1) < 0:
                return
            yield one


def _add(digest: Any, path: Path) -> None:
    try:
        status = path.stat()
    except OSError:
        return
    digest.update(os.fsencode(path.name) + f":{status.st_size}:{status.st_mtime_ns};".encode())
