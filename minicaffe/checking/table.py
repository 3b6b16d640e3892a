"""Tables and quantities for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
MULTIPLES = ("", "k", "M", "G", "T", "P")


def aligned(head: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    """Lines of columns; `sides` has < or > for each, to the left or to the right."""
    table = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ("  ".join(f"{cell:{s}{w}}" for cell, s, w in zip(row, sides, widths)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


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
