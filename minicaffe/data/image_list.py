"""Images and labels listed in a text file."""

from __future__ import annotations

import re

import numpy as np

from ..errors import DataError
from ..files import read_text
from . import images
from .datum import LABELS
from .images import Channels

LONGEST_LABEL = 100  # characters: zeros may stand in front


class ImageList:
    """The images that a text file lists, one per line as path and label.

    source    the path of the text file.  Each line is split at its last space, so that paths may hold spaces
    root      text put before every path; a folder must end in a slash
    channels  what the images are converted to

    Raises DataError, with file and line, if the file does not have this form.
    """

    def __init__(self, source: str, root: str = "", channels: Channels = Channels.COLOR) -> None:
        self.source, self.root, self.channels = source, root, channels
        self.entries = [self._parse(number, line) for number, line in enumerate(_lines(source), 1)]
        if not self.entries:
            raise DataError(f"{source}: the list is empty", hint="a line holds a path, a space and a label")

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label of line `index`."""
        return images.read(self.path(index), self.channels), self.entries[index][1]

    def path(self, index: int) -> str:
        """The path of the image on line `index`."""
        return self.root + self.entries[index][0]

    def place(self, index: int) -> str:
        """The file and line of image `index`, for errors."""
        return f"{self.source}:{index + 1}"

    def _parse(self, number: int, line: str) -> tuple[str, int]:
        path, _, label = line.rstrip("\r").rpartition(" ")
        if not path or not re.fullmatch(r"[+-]?[0-9]+", label):
            hint = "HDF5Data reads other labels" if path else "one image per line, no empty lines"
            if re.search(r"[\t,;][+-]?[0-9]+\s*$", line):
                hint = "put a space before the label, in the place of the tab or comma"
            elif re.search(r"[0-9]\s+$", line):
                hint = "the line ends in white space: remove it"
            raise DataError(
                f"{self.source}:{number}: expected a path, a space and a whole number; got {line[:200]!r}",
                hint=hint,
            )
        if len(label) > LONGEST_LABEL or not LABELS.min <= int(label) <= LABELS.max:
            raise DataError(f"{self.source}:{number}: a label must fit 32 bits; got {label[:40]}")
        return path, int(label)


def _lines(source: str) -> list[str]:
    lines = read_text(source).split("\n")  # a path may be any bytes
    return lines if lines[-1] else lines[:-1]
