"""Colours of classes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import read_text

VOC = "voc"
MOST = 256  # colours of a picture that names them by numbers
_HEX = re.compile(r"#([0-9a-fA-F]{6})(?!\S)")
_DECIMAL = re.compile(r"(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?!\S)")


def voc(count: int = MOST) -> np.ndarray:
    """The colours of Pascal VOC, (count, 3), red first: of a number's bits 0, 1, 2 the bits 7 of red, green,
    blue are made, of its bits 3, 4, 5 the bits 6, and so on."""
    numbers = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((numbers >> 3 * bit + channel & 1) << 7 - bit).astype(np.uint8)
    return colours


def read(path: str | Path) -> np.ndarray:
    """The colours in a text file, (n, 3), red first: a line for each class, 128 0 0 or #800000, and what
    follows is passed over.  DataError for a line that is no colour, or more than 256."""
    colours = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            colour = _colour(line.strip())
            if colour is None:
                raise DataError(f"{path}:{number}: no colour: {line.strip()!r}; expected 128 0 0 or #800000")
            colours.append(colour)
    if not 0 < len(colours) <= MOST:
        raise DataError(f"{path}: {len(colours)} colours; expected 1 to {MOST}, a line for each class")
    return np.array(colours, np.uint8)


def _colour(text: str) -> tuple[int, ...] | None:
    """The colour that a line begins with; None if it begins with none."""
    if found := _HEX.match(text):
        return tuple(bytes.fromhex(found[1]))
    found = _DECIMAL.match(text)
    values = tuple(map(int, found.groups())) if found else (256,)
    return values if max(values) < 256 else None
