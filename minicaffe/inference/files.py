"""The images that a command line names: files, folders with all that is in them, and the standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..data import images
from ..errors import DataError
from ..files import LARGEST_BYTES, unreadable

STDIN = "-"


class ImageFiles(NamedTuple):
    """names: of images, - for the standard input; left_out: what folders hold besides, files that are no
    images by name and links to folders, which are not followed."""

    names: list[str]
    left_out: list[str]


def find(words: Sequence[str]) -> ImageFiles:
    """The images that words of a command line name, in their order; folders with their folders, sorted.
    In folders names must be those of images (images.ENDINGS); what is named itself may have any.

    Raises DataError for a folder that cannot be read or holds no image, and for - more than once.
    """
    found = ImageFiles([], [])
    for word in words:
        if word != STDIN and os.path.isdir(word):
            before = len(found.names)
            for path in _files(word):
                is_image = Path(path).suffix.lower() in images.ENDINGS
                (found.names if is_image else found.left_out).append(path)
            if len(found.names) == before:
                raise DataError(
                    f"{word}: no file in this folder has the name of an image", hint="cat.png, ..."
                )
        else:
            found.names.append(word)
    if found.names.count(STDIN) > 1:
        raise DataError("the standard input holds one image", hint="give - once")
    return found


def _files(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise unreadable(error.filename, error)

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        yield from (os.path.join(where, name) for name in sorted(names + links))


def contents(name: str) -> bytes:
    """The bytes of an image; DataError if they cannot be read."""
    if name != STDIN:
        return images.contents(name)
    if sys.stdin is None:
        raise DataError("the standard input is closed", hint="minicaffe classify ... - < cat.png")
    data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise DataError(f"the standard input has more than {LARGEST_BYTES} bytes, the most that is read")
    return data
