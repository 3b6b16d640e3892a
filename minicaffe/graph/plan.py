"""Where every buffer lies in one arena: pure integer arithmetic, no arrays, no device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Lifetime(NamedTuple):
    """A buffer's size, and the steps from its first write to its last read, both inclusive."""

    nbytes: int
    first: int
    last: int


class Plan(NamedTuple):
    """Offsets in bytes, one for each Lifetime; the arena's size; and the floor that no plan can go below: the
    most bytes alive at any one step."""

    offsets: list[int]
    nbytes: int
    floor: int


def plan(lifetimes: Sequence[Lifetime], alignment: int = 256) -> Plan:
    """Greedy, largest first: each buffer takes the lowest gap that is free for its whole life."""
    sizes = [-(-t.nbytes // alignment) * alignment for t in lifetimes]
    offsets = [0] * len(lifetimes)
    placed: list[tuple[int, int, int, int]] = []  # start, end, first, last; by start
    for i in sorted(range(len(lifetimes)), key=lambda i: -sizes[i]):
        _, first, last = lifetimes[i]
        start = 0
        for low, high, begins, ends in sorted(placed):
            if begins <= last and first <= ends:  # both alive at some step
                if start + sizes[i] <= low:
                    break
                start = max(start, high)
        offsets[i] = start
        placed.append((start, start + sizes[i], first, last))
    return Plan(offsets, max((end for _, end, _, _ in placed), default=0), _floor(lifetimes, sizes))


def _floor(lifetimes: Sequence[Lifetime], sizes: Sequence[int]) -> int:
    """The largest sum of sizes alive at one step."""
    changes: dict[int, int] = {}
    for (_, first, last), size in zip(lifetimes, sizes):
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    alive = most = 0
    for step in sorted(changes):
        alive += changes[step]
        most = max(most, alive)
    return most
