"""Words of several lines in columns: what stands below one another belongs together."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from .page import Character, Page

OVERLAP = 0.25  # of the narrower of two words: less is no common column


def table(page: Page) -> list[list[str]]:
    """The words of a page, one list a line, all as long as there are columns; "" where a line has none.

    Two words are in a column if they stand above one another, directly or by way of words of other lines.
    Words of one line that fall into the same column are one cell, with a blank between them.
    """
    words = [(i, word) for i, line in enumerate(page.lines) for word in line.words if word]
    columns: list[list[int]] = []  # indices of words
    for n in range(len(words)):
        own = [n]
        apart = []
        for column in columns:
            if any(_above(words[n][1], words[other][1]) for other in column):
                own = column + own
            else:
                apart.append(column)
        columns = [*apart, own]
    columns.sort(key=lambda column: sum(_middle(words[n][1]) for n in column) / len(column))
    cells = [[""] * len(columns) for _ in page.lines]
    for k, column in enumerate(columns):
        for n in sorted(column, key=lambda n: _middle(words[n][1])):
            line, word = words[n]
            text = "".join(c.text for c in word)
            cells[line][k] = f"{cells[line][k]} {text}".strip()
    return cells


def as_csv(cells: Sequence[Sequence[str]]) -> str:
    """A table as CSV, lines ended by a line feed."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(cells)
    return out.getvalue()


def _extent(word: Sequence[Character]) -> tuple[float, float]:
    return word[0].box[0], word[-1].box[2]


def _middle(word: Sequence[Character]) -> float:
    left, right = _extent(word)
    return (left + right) / 2


def _above(a: Sequence[Character], b: Sequence[Character]) -> bool:
    (left_a, right_a), (left_b, right_b) = _extent(a), _extent(b)
    common = min(right_a, right_b) - max(left_a, left_b)
    return common > OVERLAP * min(right_a - left_a, right_b - left_b)
