"""Windows of images listed in a text file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..files import read_text
from ..proto.schema import Message

LONGEST_NUMBER = 100  # characters: zeros may stand in front


class Window(NamedTuple):
    """A rectangle in an image; x2 and y2 are its last column and row."""

    image: int
    label: int
    x1: int
    y1: int
    x2: int
    y2: int


class WindowList:
    """The windows that a file lists, divided into foreground and background.

    source  the file.  For each image it has `# index`, path, channels, height, width, number of windows, then
            for each window label, overlap, x1, y1, x2, y2.  White space separates them, so paths contain none
    conf    a WindowDataParameter: root_folder is put before every path.  Windows whose overlap with an object
            is at least fg_threshold are foreground; those below bg_threshold are background, with label 0;
            those between are left out

    The index of an image is ignored.  Raises DataError, with file and line.
    """

    def __init__(self, source: str, conf: Message) -> None:
        self.source = source
        self.paths: list[str] = []
        self.lines: list[int] = []  # where each image stands in the file
        self.foreground = self.background = np.empty((0, len(Window._fields)), np.int64)
        foreground, background = [self.foreground], [self.background]
        words = _Words(source, read_text(source))
        while words.more():
            rows, overlaps = self._read_image(words, conf)
            front, back = overlaps >= conf.fg_threshold, overlaps < conf.bg_threshold
            foreground.append(rows[front])
            rows[:, 1] = 0
            background.append(rows[back & ~front])
        if not self.paths:
            raise DataError(f"{source}: the file is empty", hint="it should list images and their windows")
        self.foreground, self.background = np.concatenate(foreground), np.concatenate(background)

    def _read_image(self, words: _Words, conf: Message) -> tuple[np.ndarray, np.ndarray]:
        """Read the windows of one image: the windows as rows of Window, and their overlaps."""
        if (mark := words.next("`#`")) != "#":
            raise words.error("`#` before an image", mark)
        words.integer("the index of an image")
        self.lines.append(words.line)
        self.paths.append(conf.root_folder + words.next("the path of an image"))
        if (channels := words.integer("the number of channels")) != 3:
            raise words.error("3 channels, as images are read in colour", channels)
        for what in ("the height", "the width"):
            words.integer(what)
        count = words.integer("the number of windows")
        rows, overlaps = [], []
        for _ in range(count):
            label = words.integer("a label")
            overlaps.append(words.number("an overlap"))
            if overlaps[-1] >= conf.fg_threshold and label <= 0:
                raise words.error("a label above 0 of a foreground window", label)
            corners = [words.integer(f"{name} of a window") for name in Window._fields[2:]]
            if corners[0] > corners[2] or corners[1] > corners[3]:
                raise words.error("x1 <= x2 and y1 <= y2", corners)
            rows.append((len(self.paths) - 1, label, *corners))
        shape = (len(rows), len(Window._fields))
        return np.array(rows, np.int64).reshape(shape), np.array(overlaps, np.float32)


class _Words:
    """The words of a file, read one after the other, and the line of the word read last."""

    def __init__(self, source: str, text: str) -> None:
        self.source, self.line = source, 1
        self._words = self._split(text)
        self._ahead: tuple[int, str] | None = None

    def more(self) -> bool:
        self._ahead = self._ahead or next(self._words, None)
        return self._ahead is not None

    def next(self, what: str) -> str:
        if not self.more():
            raise DataError(
                f"{self.source}:{self.line}: expected {what}; the file ends", hint="it is cut short"
            )
        (self.line, word), self._ahead = self._ahead, None  # type: ignore[misc]
        return word

    def integer(self, what: str) -> int:
        word = self.next(what)
        try:
            if len(word) <= LONGEST_NUMBER and abs(value := int(word)) < 1 << 31:
                return value
        except ValueError:
            pass
        raise self.error(what, word)

    def number(self, what: str) -> float:
        word = self.next(what)
        try:
            return float(word)
        except ValueError:
            raise self.error(what, word) from None

    def error(self, what: str, got: object) -> DataError:
        return DataError(
            f"{self.source}:{self.line}: expected {what}; got {str(got)[:200]}",
            hint="# index, path, channels, height, width, n, then n times label overlap x1 y1 x2 y2",
        )

    @staticmethod
    def _split(text: str) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(text.split("\n"), 1):
            for word in line.split():
                yield number, word
