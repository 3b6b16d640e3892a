"""Steps that need not wait for each other, side by side: a GPU runs them at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..device.base import Turn
from .hazards import Access, Places, apart, backward_accesses, dependencies, forward_accesses
from .liveness import Liveness, Span
from .program import Ownership, Program

AHEAD = 8  # steps: so much longer, at most, memory is kept for the sake of steps that could run meanwhile


class Branches(NamedTuple):
    """When the steps run that launch something, by their position; empty where one follows another."""

    forward: dict[int, Turn]
    backward: dict[int, Turn]


SERIAL = Branches({}, {})


def branches(program: Program, places: Places, most: int) -> Branches:
    """Steps of a program that lies so in memory, on at most so many branches."""
    end = len(program.steps) - 1
    forward = _branched(forward_accesses(program, places), range(end + 1), most)
    backward = _branched(backward_accesses(program, places)[::-1], range(end, -1, -1), most)
    return Branches(forward, backward)


def _branched(accesses: Sequence[Access], positions: Sequence[int], most: int) -> dict[int, Turn]:
    working = [i for i, access in enumerate(accesses) if access.reads or access.writes]
    found = turns(dependencies([accesses[i] for i in working]), most)
    if not any(turn.branch for turn in found):
        return {}
    at = [positions[i] for i in working]
    return {
        k: turn._replace(waits=tuple(at[i] for i in turn.waits)) for k, turn in zip(at, found, strict=True)
    }


def prolonged(program: Program, live: Liveness, data: Ownership, diff: Ownership) -> Liveness:
    """Lifetimes that leave steps apart which could run at the same time: none takes the memory of another.

    A life ends where what comes behind it waits for all that touched it anyway, but at most AHEAD times
    later.  So nothing changes in a chain of steps.
    """
    places = apart(program, data, diff)
    forward, backward = forward_accesses(program, places), backward_accesses(program, places)[::-1]
    row = forward + backward
    # For each time the AHEAD before it: bit i is set if it comes behind time - i in any case.
    behind: list[int] = []
    for start, before in ((0, dependencies(forward)), (len(forward), dependencies(backward))):
        for i, earlier in enumerate(before):
            reached = 1
            for j in earlier:
                if i - j <= AHEAD:
                    reached |= behind[start + j] << (i - j)
            behind.append(reached & ~(-1 << (AHEAD + 1)))
    blobs = len(program.names)
    touched: dict[int, list[int]] = {}  # the times at which each thing of `apart` is
    for time, access in enumerate(row):
        for thing in {region.start // blobs for region in (*access.reads, *access.writes)}:
            touched.setdefault(thing, []).append(time)

    def longer(thing: int, span: Span) -> Span:
        half = len(forward) if span.last >= len(forward) else 0  # backward waits for all of forward
        for time in range(min(span.last + AHEAD, half + len(forward) - 1), span.last, -1):
            since = max(half, time - AHEAD)
            ago = [time - t for t in touched.get(thing, ()) if since <= t <= span.last]
            if row[time].writes and not all(behind[time] >> i & 1 for i in ago):
                return Span(span.first, time)
        return span

    def of_blobs(kind: int, spans: Sequence[Span | None]) -> list[Span | None]:
        return [span and longer(2 * blob + kind, span) for blob, span in enumerate(spans)]

    saved = [longer(2 * blobs + k, span) for k, span in enumerate(live.saved)]
    return Liveness(of_blobs(0, live.data), of_blobs(1, live.diff), saved)


def turns(dependencies: Sequence[Iterable[int]], most: int) -> list[Turn]:
    """Spread a row of steps over branches 0 to `most` - 1, in each of which they run one after the other.

    dependencies  for each step the earlier ones that it has to wait for

    A step goes on the first branch whose last step it follows anyway; failing that, on an empty branch, or
    where it waits least.  So a chain stays on branch 0.  `clocks[i][b]` is the last step of branch b that is
    done when step i is, -1 if none.
    """
    last = [-1] * most  # of each branch
    length: list[int] = []  # of the longest chain that ends with a step
    clocks: list[list[int]] = []
    found: list[Turn] = []
    awaited: set[int] = set()
    for i, before in enumerate(dependencies):
        known, wanted = [-1] * most, []
        for j in sorted(before, reverse=True):  # the later ones know of the earlier ones
            if known[found[j].branch] < j:
                wanted.append(j)
                known = list(map(max, known, clocks[j]))
        follows = [b for b in range(most) if last[b] <= known[b]]
        branch = min(follows, key=lambda b: (last[b] < 0, b)) if follows else _shortest(last, length)
        if last[branch] >= 0:
            own = clocks[last[branch]]
            waits = tuple(j for j in wanted if own[found[j].branch] < j)
            known = list(map(max, known, own))
        else:
            waits = tuple(wanted)
        awaited.update(waits)
        found.append(Turn(branch, waits, False))
        length.append(1 + max((length[j] for j in (*before, last[branch]) if j >= 0), default=0))
        known[branch] = last[branch] = i
        clocks.append(known)
    awaited.update(i for i in last[1:] if i >= 0)
    return [turn._replace(awaited=i in awaited) for i, turn in enumerate(found)]


def _shortest(last: Sequence[int], length: Sequence[int]) -> int:
    return min(range(len(last)), key=lambda b: length[last[b]])


def chains(program: Program, data: Ownership, diff: Ownership) -> list[tuple[int, int]]:
    """Of forward and of backward: how many steps launch something, and how many of these, at least, run one
    behind the other."""
    places = apart(program, data, diff)
    found = []
    for accesses in (forward_accesses(program, places), backward_accesses(program, places)[::-1]):
        working = [access for access in accesses if access.writes]
        found.append((len(working), longest_chain(dependencies(working))))
    return found


def longest_chain(dependencies: Sequence[Iterable[int]]) -> int:
    """The most steps of which each waits for the one before."""
    length: list[int] = []
    for before in dependencies:
        length.append(1 + max((length[j] for j in before), default=0))
    return max(length, default=0)
