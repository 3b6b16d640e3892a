"""Folders of this machine as the page may look at them: those inside the roots, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..data import facts
from ..data.images import ENDINGS
from ..errors import DataError
from ..files import unreadable
from .unpacking import TABLES

MOST_ENTRIES = 2000
COUNTED = 10_000  # entries of a folder that are counted


def listing(path: Path) -> dict[str, Any]:
    """What is in a folder: folders and tables by name, how many images, and whether a data set can be made
    of it.

    `classes` says how many of its folders hold images.  What is hidden, links, which may lead elsewhere,
    and names that are no text are left out.
    """
    try:
        with os.scandir(path) as found:
            entries = sorted(filter(_is_shown, found), key=lambda entry: entry.name.lower())
    except OSError as error:
        raise unreadable(path, error) from None
    folders = [entry.name for entry in entries if entry.is_dir()]
    shown = [{"name": name, "images": _images(path / name)} for name in folders[:MOST_ENTRIES]]
    tables = [e.name for e in entries if e.is_file() and e.name.lower().endswith(TABLES)]
    return {
        "path": str(path),
        "folders": shown,
        "more": max(0, len(folders) - MOST_ENTRIES),
        "tables": tables[:MOST_ENTRIES],
        "images": sum(e.is_file() and Path(e.name).suffix.lower() in ENDINGS for e in entries),
        "classes": sum(1 for folder in shown if folder["images"]),
        "is_data_set": bool(facts.summary(str(path))),
    }


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and not entry.is_symlink() and entry.name.isprintable()


def _images(folder: Path) -> int:
    """How many images lie directly in a folder; of a very large one, at least so many."""
    count = 0
    try:
        with os.scandir(folder) as found:
            for number, entry in enumerate(found):
                count += Path(entry.name).suffix.lower() in ENDINGS
                if number >= COUNTED:
                    break
    except OSError:
        return 0
    return count


def source(path: Path) -> Path:
    """A folder or a table that a data set can be made of; DataError for a file of another kind.

    A list of paths is none: it could name files that lie elsewhere.
    """
    if path.is_dir() or (path.is_file() and path.name.lower().endswith(TABLES)):
        return path
    if not path.exists():
        raise DataError(f"no such file or folder: {path}")
    raise DataError(
        f"{path.name} is neither a folder nor a table ({', '.join(TABLES)})",
        hint="minicaffe data make takes lists of files too",
    )
