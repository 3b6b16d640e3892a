"""Where every buffer lies in one arena: pure integer arithmetic, no arrays, no device."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heappop, heappush
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


def plan(lifetimes: Sequence[Lifetime], alignment: int = 256, many: int = 2048) -> Plan:
    """Offsets so that no two buffers that live at one step overlap.

    Up to `many` buffers are placed with care, largest first, in time that grows with their square; more than
    that in the order of their lives.
    """
    sizes = [-(-t.nbytes // alignment) * alignment for t in lifetimes]
    place = _largest_first if len(lifetimes) <= many else _by_time
    offsets = place(lifetimes, sizes)
    end = max(map(int.__add__, offsets, sizes), default=0)
    return Plan(offsets, end, _floor(lifetimes, sizes))


def _largest_first(lifetimes: Sequence[Lifetime], sizes: Sequence[int]) -> list[int]:
    """Greedy: each buffer takes the lowest gap that is free for its whole life."""
    offsets = [0] * len(lifetimes)
    placed: list[tuple[int, int, int, int]] = []  # start, end, first, last; sorted
    for i in sorted(range(len(lifetimes)), key=lambda i: -sizes[i]):
        _, first, last = lifetimes[i]
        start = 0
        for low, high, begins, ends in placed:
            if begins <= last and first <= ends:  # both alive at some step
                if start + sizes[i] <= low:
                    break
                start = max(start, high)
        offsets[i] = start
        insort(placed, (start, start + sizes[i], first, last))
    return offsets


def _by_time(lifetimes: Sequence[Lifetime], sizes: Sequence[int]) -> list[int]:
    """As an allocator would: when a life begins, take the smallest gap of the dead that suffices, else go to
    the end."""
    offsets = [0] * len(lifetimes)
    gaps: list[tuple[int, int]] = []  # size, start; sorted
    begins: dict[int, int] = {}  # start of a gap -> its end
    ends: dict[int, int] = {}  # end of a gap -> its start
    dying: list[tuple[int, int]] = []  # last step, index; a heap
    top = 0

    def open_gap(start: int, end: int) -> None:
        begins[start], ends[end] = end, start
        insort(gaps, (end - start, start))

    def close_gap(start: int) -> int:
        end = begins.pop(start)
        del ends[end]
        del gaps[bisect_left(gaps, (end - start, start))]
        return end

    for i in sorted(range(len(lifetimes)), key=lambda i: (lifetimes[i].first, -sizes[i])):
        size, first = sizes[i], lifetimes[i].first
        if not size:
            continue
        while dying and dying[0][0] < first:
            dead = heappop(dying)[1]
            start, end = offsets[dead], offsets[dead] + sizes[dead]
            if end in begins:
                end = close_gap(end)
            if start in ends:
                start = ends[start]
                close_gap(start)
            open_gap(start, end)
        fitting = bisect_left(gaps, (size, 0))
        if fitting < len(gaps):
            start = gaps[fitting][1]
            end = close_gap(start)
            if start + size < end:
                open_gap(start + size, end)
        else:
            start = ends.get(top, top)  # a gap at the end is too small, but a start
            if start != top:
                close_gap(start)
            top = start + size
        offsets[i] = start
        heappush(dying, (lifetimes[i].last, i))
    return offsets


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
