"""Where each character stands on the page.  Lengths are in heights of a digit, x to the right, y down."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import glyphs, strokes

GAPS = (0.10, 0.34)  # between neighbours
CROWDED = (-0.07, 0.0)  # between neighbours whose boxes overlap: most of them touch


class Mark(NamedTuple):
    """A character: of a digit the left and lower end of its ink, of a symbol its centre."""

    text: str
    line: int
    x: float
    y: float
    height: float
    image: np.ndarray | None  # of a digit, (28, 28) uint8
    shape: list[strokes.Stroke] | None  # of a symbol


class Line(NamedTuple):
    """A line drawn by hand or printed, from one end to the other."""

    start: strokes.Point
    end: strokes.Point


class Page(NamedTuple):
    """What is written: the marks, what they say line by line, the cells of a table, and the table's lines."""

    marks: list[Mark]
    lines: list[str]
    cells: list[list[str]] | None
    grid: list[Line]
    pitch: float  # from line to line

    def corners(self) -> np.ndarray:
        """The corners of the whole block, (4, 2)."""
        xs = [m.x for m in self.marks] + [g.start[0] for g in self.grid] + [g.end[0] for g in self.grid]
        ys = [m.y for m in self.marks] + [g.start[1] for g in self.grid] + [g.end[1] for g in self.grid]
        x0, x1, y0, y1 = min(xs) - 0.4, max(xs) + 1.3, min(ys) - 1.2, max(ys) + 0.4
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


Pick = Callable[[int], np.ndarray]  # an image of this digit


class Hand:
    """Writes characters one beside the other, as evenly as its owner can."""

    def __init__(self, rng: np.random.Generator, pick: Pick, width: float, touching: float) -> None:
        self.rng, self.pick, self.width, self.touching = rng, pick, width, touching
        self.tilt, self.wave, self.phase = rng.normal(0, 0.008), rng.uniform(0, 0.04), rng.uniform(0, 6)
        self.space = rng.uniform(*GAPS)

    def write(
        self, text: str, line: int, x: float, y: float, spaced: float = 0.0
    ) -> tuple[list[Mark], float]:
        """The marks of `text` from x on along the base line y, and where they end; `spaced` is more room
        around symbols."""
        rng, marks = self.rng, []
        for at, c in enumerate(text):
            base = y + self.tilt * x + self.wave * np.sin(x / 2 + self.phase + line) + rng.normal(0, 0.02)
            height = float(np.clip(rng.normal(1, 0.05), 0.85, 1.15))
            if c.isdigit():
                image = self.pick(int(c))
                marks.append(Mark(c, line, x, base, height, image, None))
                x += glyphs.aspect(image) * height
                x += (
                    rng.uniform(*CROWDED)
                    if self._crowds(text, at)
                    else self.space + rng.normal(0, 0.05) ** 2 * 8
                )
            else:
                x += spaced
                shape = strokes.symbol(rng, c, self.width)
                points = np.concatenate([s.points for s in shape])
                middle = base - 0.5 * height + rng.normal(0, 0.04)
                marks.append(Mark(c, line, x - points[:, 0].min(), middle, height, None, shape))
                x += np.ptp(points[:, 0]) + self.width + self.space + spaced
        return marks, x

    def _crowds(self, text: str, at: int) -> bool:
        return text[at + 1 : at + 2].isdigit() and self.rng.random() < self.touching


def _written(rng: np.random.Generator, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def digits(rng: np.random.Generator, hand: Hand, count: int) -> Page:
    """`count` digits on one to five lines."""
    rows = int(rng.integers(1, min(5, max(1, count // 3)) + 1))
    ends = (
        np.sort(rng.choice(np.arange(1, count), rows - 1, replace=False)) if rows > 1 else np.array([], int)
    )
    text = _written(rng, count)
    lines = [text[a:b] for a, b in zip([0, *ends.tolist()], [*ends.tolist(), count])]
    pitch = rng.uniform(1.45, 2.2)
    marks = []
    for row, line in enumerate(lines):
        x = rng.uniform(0, 0.6) + (rng.uniform(0, 2) if rng.random() < 0.2 else 0)
        cut = int(rng.integers(1, len(line))) if len(line) > 3 and rng.random() < 0.25 else len(line)
        for part in (line[:cut], line[cut:]):
            written, x = hand.write(part, row, x, row * pitch)
            marks += written
            x += rng.uniform(0.5, 1.2)
    return Page(marks, lines, None, [], pitch)


def sum_of(rng: np.random.Generator) -> tuple[str, str, str, str, str]:
    """An equation of whole numbers: a, symbol, b, "=", and c, which one time in four is wrong."""
    name = str(rng.choice(list("+-×÷")))
    a, b = (int(v) for v in rng.integers(1, 100, 2))
    if name == "+":
        c = a + b
    elif name == "-":
        a, b = max(a, b), min(a, b)
        c = a - b
    elif name == "×":
        a, b = a % 20 + 1, b % 12 + 1
        c = a * b
    else:
        b, c = b % 11 + 2, a % 12 + 1
        a = b * c
    if rng.random() < 0.25:
        c = max(0, c + int(rng.choice([-10, -2, -1, 1, 2, 10])))
    return str(a), name, str(b), "=", str(c)


def arithmetic(rng: np.random.Generator, hand: Hand) -> Page:
    """Two to five equations below one another."""
    pitch, spaced = rng.uniform(1.5, 2.2), rng.uniform(0.15, 0.4)
    marks, lines, cells = [], [], []
    for row in range(int(rng.integers(2, 6))):
        parts = sum_of(rng)
        written, _ = hand.write("".join(parts), row, rng.uniform(0, 0.5), row * pitch, spaced)
        marks += written
        lines.append("".join(parts))
        cells.append(list(parts))
    return Page(marks, lines, cells, [], pitch)


def table(rng: np.random.Generator, hand: Hand, gridded: bool) -> Page:
    """Numbers in rows and columns, or equations with a cell for each part; with or without lines."""
    rows = int(rng.integers(2, 6))
    if rng.random() < 0.35:
        cells = [list(sum_of(rng)) for _ in range(rows)]
    else:
        lengths = rng.integers(1, 4, int(rng.integers(2, 5)))
        cells = [[_written(rng, int(rng.integers(1, n + 1))) for n in lengths] for _ in range(rows)]
    pitch, pad = rng.uniform(1.6, 2.1), rng.uniform(0.35, 0.6) if gridded else rng.uniform(0.7, 1.1)
    to_right = rng.random() < 0.5
    marks: list[Mark] = []
    edges = [0.0]
    for column in range(len(cells[0])):
        written = [hand.write(cells[row][column], row, 0, row * pitch) for row in range(rows)]
        room = max(end for _, end in written) + pad
        for ms, end in written:
            shift = edges[-1] + (room - end if to_right else pad) + rng.normal(0, 0.04)
            marks += [m._replace(x=m.x + shift) for m in ms]
        edges.append(edges[-1] + room + pad * 0.6)
    order = sorted(marks, key=lambda m: (m.line, m.x))
    grid = []
    if gridded:
        top, bottom = -pitch + (pitch - 1) / 2, (rows - 1) * pitch + (pitch - 1) / 2
        grid = [Line((x, top), (x, bottom)) for x in edges]
        grid += [Line((0, top + row * pitch), (edges[-1], top + row * pitch)) for row in range(rows + 1)]
    return Page(order, ["".join(r) for r in cells], cells, grid, pitch)
