"""A folder of class folders: its images, and the classes that the folders' names stand for.

    photos/cats/1.jpg  photos/cats/garden/2.jpg  photos/dogs/1.jpg

What is hidden, or no image by its name, is no part of it; `Found.left_out` says what and why.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError
from ..files import unreadable

ENDINGS = tuple(".png .jpg .jpeg .jpe .jfif .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split())
PARTS = {  # what folders of parts are called, and the number of the part
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("val", "valid", "validation"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}


class Found(NamedTuple):
    """classes: their names, of which label i stands for the i-th; paths and labels: of the images, class by
    class; left_out: what is no image, and why.  Paths are relative to the folder."""

    classes: list[str]
    paths: list[str]
    labels: np.ndarray  # (N,), int64
    left_out: list[tuple[str, str]]


def is_one(folder: str) -> bool:
    """Whether a path is a folder that has a folder in it, not hidden: what `find` can be asked about."""
    try:
        with os.scandir(folder) as entries:
            return bool(_folders(entries))
    except (OSError, ValueError):
        return False


def find(folder: str | os.PathLike) -> Found:
    """The images below a folder, whose folders are the classes; folders in those are searched too.

    Classes are numbered in the order of their names: by number if all are whole numbers, else as text.

    Raises DataError if there is no class, or a class without images; ConfigError where the folders are parts
    of a data set, such as train and test, and not classes.
    """
    root = os.fspath(folder)
    try:
        with os.scandir(root) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(folder, error) from None
    names = _folders(entries)
    left_out = [(entry.name, _why_no_class(entry)) for entry in entries if entry.name not in names]
    if not names:
        raise DataError(
            f"{root}: no classes: expected a folder for each class, with its images in it",
            hint=f"move the {len(left_out)} files into folders named by class" if left_out else "",
        )
    if parts(root):
        raise ConfigError(
            f"{root}: its folders {', '.join(names)} are parts of a data set, not classes",
            hint=f"give one of them, such as {os.path.join(root, names[0])}",
        )
    classes = in_order(names)
    for name in classes:
        if not name.isprintable():
            raise DataError(f"{root}: {name!r} cannot be the name of a class", hint="rename the folder")
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(_walk(root, name, left_out))
        if not found:
            raise DataError(
                f"{os.path.join(root, name)}: a class without images", hint="put images in, or remove it"
            )
        paths += found
        labels += [label] * len(found)
    return Found(classes, paths, np.array(labels, np.int64), left_out)


def parts(folder: str) -> dict[str, int]:
    """Which part is in which folder, by the names of the folders; empty if one of them is no part."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(_folders(entries))
    except (OSError, ValueError):
        return {}
    found = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    return found if len(found) == len(names) else {}


def in_order(names: Iterable[str]) -> list[str]:
    """The names of classes in the order of their labels."""
    ordered = sorted(names)
    return sorted(ordered, key=int) if all(map(_is_number, ordered)) else ordered


def reasons(left_out: list[tuple[str, str]]) -> str:
    """How many are left out for which reason, in one line."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(r for _, r in left_out).most_common())


def _walk(root: str, inside: str, left_out: list[tuple[str, str]]) -> list[str]:
    """The images below root/inside, as paths relative to root."""
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise unreadable(error.filename, error) from None

    for where, folders, names in os.walk(os.path.join(root, inside), onerror=refuse):
        below = os.path.relpath(where, root)
        for name in names:
            path = os.path.join(below, name)
            if reason := _why_no_image(name):
                left_out.append((path, reason))
            else:
                found.append(path)
        for name in list(folders):
            linked = os.path.islink(os.path.join(where, name))
            if linked or _hidden(name):
                left_out.append((os.path.join(below, name), "a link to a folder" if linked else "hidden"))
                folders.remove(name)
    return found


def _folders(entries: Iterable[os.DirEntry]) -> list[str]:
    return [entry.name for entry in entries if entry.is_dir() and not _hidden(entry.name)]


def _why_no_class(entry: os.DirEntry) -> str:
    return "hidden" if _hidden(entry.name) else "in no class folder"


def _why_no_image(name: str) -> str:
    """Why a file's name is not that of an image; empty if it is."""
    if _hidden(name):
        return "hidden"
    ending = Path(name).suffix.lower()
    return "" if ending in ENDINGS else f"no image by its name ({ending or 'no ending'})"


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()
