"""Tables and quantities for people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..printable import printable

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
MULTIPLES = ("", "k", "M", "G", "T", "P")
GAP = "  "  # between columns
LEAST = 8  # columns that are left of a cell


def aligned(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    sides: str,
    *,
    width: int | None = None,
    leaving: Sequence[str] = (),
) -> str:
    """Lines of columns.

    sides    < or > for each, to the left or to the right
    width    of the terminal; where the table is wider, columns leave, and if that is not enough the longest
             cells to the left lose their middle: inception_4a...b/5x5.  None: all of it is shown
    leaving  the heads of the columns that may leave, the first to leave first
    """
    table = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(columns, column)) for column in zip(*table)]
    kept = list(range(len(head)))
    for name in leaving:
        if width is not None and _total(widths, kept) > width:
            kept.remove(next(i for i in reversed(kept) if head[i] == name))
    while width is not None and (over := _total(widths, kept) - width) > 0:
        longest = max((i for i in kept if sides[i] == "<"), key=lambda i: widths[i], default=None)
        if longest is None or widths[longest] <= LEAST:
            break
        second = max([widths[i] for i in kept if sides[i] == "<" and i != longest], default=0)
        widths[longest] = max(LEAST, min(second, widths[longest] - 1), widths[longest] - over)
    lines = (GAP.join(_cell(row[i], sides[i], widths[i]) for i in kept) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[i] for i in kept) + len(GAP) * (len(kept) - 1)


def _cell(text: str, side: str, width: int) -> str:
    if columns(text) > width:
        tail = (width - 3) // 2
        text = f"{_start(text, width - 3 - tail)}...{_start(text[::-1], tail)[::-1]}"
    space = " " * (width - columns(text))
    return text + space if side == "<" else space + text


def _start(text: str, width: int) -> str:
    """As many letters as fit."""
    while columns(text) > width:
        text = text[: min(width, len(text) - 1)]
    return text


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes: letters of East Asia take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def wrapped(line: str, width: int | None, indent: str = "    ") -> list[str]:
    """A line as lines that fit the width, broken between words alone; the later ones are indented."""
    if width is None or columns(line) <= width:
        return [line]
    lines = [""]
    for word in re.findall(r"\s*\S+", line):
        if lines[-1] and columns(lines[-1] + word) > max(width, 20):
            lines.append(indent + word.lstrip())
        else:
            lines[-1] += word
    return lines


def size(nbytes: int) -> str:
    """Bytes in the largest unit that leaves at least one."""
    power = 0
    while power + 1 < len(UNITS) and nbytes >= 1024 ** (power + 1):
        power += 1
    return f"{nbytes} B" if power == 0 else f"{nbytes / 1024**power:.1f} {UNITS[power]}"


def amount(count: int) -> str:
    """A number with its thousands apart."""
    return f"{count:,}"


def spelled(shapes: Iterable[Sequence[int]]) -> str:
    """Shapes in a row: 64x20x24x24 64; 1 for that of a number."""
    return " ".join("x".join(map(str, shape)) or "1" for shape in shapes)


def short(count: int) -> str:
    """A number in three digits: 512, 25.1 k, 431 k, 1.58 G."""
    value, power = float(count), 0
    while value >= 999.5 and power < len(MULTIPLES) - 1:
        value, power = value / 1000, power + 1
    if power == 0:
        return str(count)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {MULTIPLES[power]}"
