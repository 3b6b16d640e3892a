"""Labelled images in folders: each subfolder is a class and holds the images of that class.

    photos/cats/1.jpg  photos/cats/garden/2.jpg  photos/dogs/1.jpg

Hidden files and files whose names are not those of images are left out; `Found.left_out` lists them with the
reasons.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import log
from ..errors import ConfigError, DataError
from ..files import unreadable
from . import images, ranges
from .images import Channels
from .order import permutation

PARTS = {  # what folders of parts are called, and the number of the part
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("val", "valid", "validation"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}


MOST_REASONS = 6  # in one line
LOOKED_AT = 32  # images, to tell whether they are grey


class Found(NamedTuple):
    """The images found in a folder of class folders.

    classes   the names of the classes; label i means classes[i]
    paths     of the images, relative to the folder, class by class
    labels    of the images
    left_out  files that are not taken, and why
    """

    classes: list[str]
    paths: list[str]
    labels: np.ndarray  # (N,), int64
    left_out: list[tuple[str, str]]


class ImageFolder:
    """The images of a folder of class folders as records, in a fixed order that mixes the classes evenly.

    source    the folder, perhaps followed by a range: photos[:80%]
    channels  what the images are converted to; NATIVE: to grey if the first LOOKED_AT images are files of one
              channel, else to colour

    Every range of the order has about the same share of each class as the whole.  So photos[:80%] and
    photos[80%:] can serve as training and validation set.

    Raises what `find` raises, and DataError for a range that does not exist.
    """

    def __init__(self, source: str, channels: Channels = Channels.NATIVE) -> None:
        self.path, self.channels = ranges.without(source), channels
        found = find(self.path)
        self.classes, self.left_out = found.classes, found.left_out
        rows = ranges.rows(source, len(found.paths))
        order = mixed(found.labels)
        self._paths, self._labels, self._index = found.paths, found.labels, order[rows.start : rows.stop]
        if channels is Channels.NATIVE:
            first = (os.path.join(self.path, found.paths[i]) for i in order[:LOOKED_AT])
            grey = all(images.is_grey(images.contents(path)) for path in first)
            self.channels = Channels.GRAY if grey else Channels.COLOR
        if found.left_out:
            log.info(f"{len(found.left_out)} files of {self.path} are left out: {reasons(found.left_out)}")

    def __len__(self) -> int:
        return len(self._index)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label of image `index`."""
        data = images.contents(self.place(index))
        return images.decode(data, self.channels), self.label(index)

    def label(self, index: int) -> int:
        return int(self._labels[self._index[index]])

    def place(self, index: int) -> str:
        """The path of image `index`, for errors."""
        return os.path.join(self.path, self._paths[self._index[index]])


def mixed(labels: np.ndarray) -> np.ndarray:
    """An order of samples that mixes the classes evenly.  `labels` are theirs; the result lists their
    numbers.

    The n samples of a class are shuffled, and the k-th gets the position (k + 1/2) / n of the whole.
    """
    at = np.empty(len(labels))
    for label in np.unique(labels).tolist():
        members = np.flatnonzero(labels == label)
        at[members] = (permutation(len(members), 0, label) + 0.5) / len(members)
    return np.lexsort((labels, at))


def is_one(folder: str) -> bool:
    """Whether a path is a folder with a subfolder that is not hidden, so that `find` can be called for it."""
    try:
        with os.scandir(folder) as entries:
            return bool(_folders(entries))
    except (OSError, ValueError):
        return False


def find(folder: str | os.PathLike) -> Found:
    """The images below a folder whose subfolders are classes; folders inside those are searched too.

    Classes are sorted by name: as numbers if all names are whole numbers, else as text.

    Raises DataError if there is no class, or a class has no images; ConfigError if the subfolders are parts
    of a data set, such as train and test, and not classes.
    """
    root = os.fspath(folder)
    try:
        with os.scandir(root) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(folder, error) from None
    names = _folders(entries)
    known = set(names)
    left_out = [(entry.name, _why_no_class(entry)) for entry in entries if entry.name not in known]
    if not names:
        raise DataError(
            f"{root}: no classes: expected a folder for each class, with its images in it",
            hint=f"move the {len(left_out)} files into folders named by class" if left_out else "",
        )
    named = [name for name in names if name.lower() in PARTS]
    if parts(root) or len({PARTS[name.lower()] for name in named}) > 1:
        others = [name for name in names if name not in named]
        raise ConfigError(
            f"{root}: its folders {', '.join(named)} are parts of a data set, not classes",
            hint=f"move {', '.join(others[:3])} out of it"
            if others
            else f"give one of them, such as {os.path.join(root, named[0])}",
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
    """The subfolders that hold parts of a data set (train, val, test): by folder name, the number of the
    part.  Empty if any subfolder is something else; ConfigError if two are the same part."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(_folders(entries))
    except (OSError, ValueError):
        return {}
    found = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    if len(found) < len(names):
        return {}
    if len(set(found.values())) < len(found):
        raise ConfigError(
            f"{folder}: two of its folders are the same part: {', '.join(names)}", hint="make them one"
        )
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """The names of classes sorted as `find` does, so that a name's index is its label."""
    ordered = sorted(names)
    return sorted(ordered, key=int) if all(map(_is_number, ordered)) else ordered


def reasons(left_out: list[tuple[str, str]]) -> str:
    """One line that tells how many files were left out for each of the most frequent reasons."""
    counts = Counter(re.sub(r"^\d+ bytes that are ", "", reason) for _, reason in left_out)
    told = [f"{reason}: {count}" for reason, count in counts.most_common(MOST_REASONS)]
    return ", ".join(told) + (", ..." if len(counts) > MOST_REASONS else "")


def _walk(root: str, inside: str, left_out: list[tuple[str, str]]) -> list[str]:
    """The paths, relative to root, of the images below root/inside."""
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
    """The reason for which a file with this name is left out; "" if it is taken for an image."""
    if _hidden(name):
        return "hidden"
    ending = Path(name).suffix.lower()
    return "" if ending in images.ENDINGS else f"no image by its name ({ending or 'no ending'})"


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 4000  # what int() reads
