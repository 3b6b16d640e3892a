"""Tables and quantities for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


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
