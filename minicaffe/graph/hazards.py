"""Which steps must stay in order, because one writes memory that the other reads or writes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .program import Ownership, Program


class Region(NamedTuple):
    """Memory: the bytes from `start` to before `stop`; with a `step`, of every `step` bytes from `start` on
    only the first `width`, as those of a blob whose images lie apart."""

    start: int
    stop: int
    step: int = 0
    width: int = 0

    def meets(self, other: Region) -> bool:
        """Whether a byte is in both; where that takes more than a look it is said to be."""
        if self.start >= other.stop or other.start >= self.stop:
            return False
        if not self.step or self.step != other.step:
            return True
        ahead = (other.start - self.start) % self.step
        return ahead < self.width or ahead + other.width > self.step

    def covers(self, other: Region) -> bool:
        """Of one with a step: whether all of the other's bytes between `start` and `stop` are in it."""
        ahead = (other.start - self.start) % self.step
        return self.step == other.step and ahead + other.width <= self.width


class Places(NamedTuple):
    """Where a program's arrays lie, None for what has no memory: data and diff of every blob; for every step
    its layer's saved buffers, and values and gradients of the parameters that it shares with other steps."""

    data: Sequence[Region | None]
    diff: Sequence[Region | None]
    saved: Sequence[Sequence[Region]]
    params: Sequence[Sequence[Region]]
    gradients: Sequence[Sequence[Region]]


class Access(NamedTuple):
    """What a step reads, and what it writes."""

    reads: list[Region]
    writes: list[Region]


def forward_accesses(program: Program, places: Places) -> list[Access]:
    """What the forward of every step touches that another step may touch as well."""
    found = []
    for k, step in enumerate(program.steps):
        reads: list[Region] = []
        writes: list[Region] = []
        if not step.layer.splits:  # whose tops are there already
            reads += _present(places.data, step.bottoms)
            writes += [*_present(places.data, step.tops), *places.saved[k]]
        (writes if step.layer.carries else reads).extend(places.params[k])
        found.append(Access(reads, writes))
    return found


def backward_accesses(program: Program, places: Places) -> list[Access]:
    """The same of the backward of every step; of one that does not run, nothing."""
    found = []
    for k, step in enumerate(program.steps):
        reads: list[Region] = []
        writes: list[Region] = []
        if step.backward.runs:
            if "bottom.data" in step.reads:
                reads += _present(places.data, step.bottoms)
            if step.reads & {"top.data", "top.sign"}:
                reads += _present(places.data, step.tops)
            reads += places.params[k]
            wanted = [blob for blob, computed in zip(step.bottoms, step.backward.propagate) if computed]
            writes += [*_present(places.diff, wanted), *places.gradients[k], *places.saved[k]]
            writes += _present(places.diff, step.tops)  # set where gradients start, masked for a ReLU
        found.append(Access(reads, writes))
    return found


def apart(program: Program, data: Ownership, diff: Ownership) -> Places:
    """Places where nobody shares memory but those who have to.  Numbers stand for bytes, as many as there are
    blobs for each thing: data of blob 0, its diff, data of blob 1 ..., buffers of step 0, of step 1 ...; of
    an owner's numbers every part of it has one, and the whole all."""
    blobs = len(program.names)

    def places(kind: int, ownership: Ownership) -> list[Region | None]:
        found: list[Region | None] = []
        for owner, part in zip(*ownership):
            first = (2 * owner + kind) * blobs
            one = Region(first, first + blobs)
            found.append(one if part is None else Region(first + part, first + part + 1))
        return found

    nothing: list[list[Region]] = [[] for _ in program.steps]
    saved = [
        [Region((2 * blobs + k) * blobs, (2 * blobs + k + 1) * blobs)] for k in range(len(program.steps))
    ]
    return Places(places(0, data), places(1, diff), saved, nothing, nothing)


def _present(regions: Sequence[Region | None], blobs: Iterable[int]) -> list[Region]:
    return [region for blob in blobs if (region := regions[blob]) is not None]


def dependencies(accesses: Sequence[Access]) -> list[set[int]]:
    """For everybody in a row the ones before that it has to wait for, beside those that they wait for."""
    memory, found = _Memory(), []
    for i, access in enumerate(accesses):
        before: set[int] = set()
        for region in access.reads:
            memory.read(i, region, before)
        for region in access.writes:
            memory.write(i, region, before)
        found.append(before - {i})
    return found


class _Stretch:
    """Bytes that have always been touched together: by whom since they were last written as a whole."""

    __slots__ = ("readers", "writers")

    def __init__(self, writers: list[tuple[int, Region]], readers: list[tuple[int, Region]]) -> None:
        self.writers, self.readers = writers, readers


class _Memory:
    """Who touched what.  `bounds` are where the stretches begin; a write makes one of those it covers, so
    there are never many."""

    def __init__(self) -> None:
        self.bounds, self.stretches = [0], [_Stretch([], [])]

    def read(self, who: int, region: Region, before: set[int]) -> None:
        first, behind = self._cut(region)
        for stretch in self.stretches[first:behind]:
            before.update([writer for writer, written in stretch.writers if written.meets(region)])
            stretch.readers.append((who, region))

    def write(self, who: int, region: Region, before: set[int]) -> None:
        first, behind = self._cut(region)
        for stretch in self.stretches[first:behind]:
            touched = stretch.writers + stretch.readers
            before.update([other for other, there in touched if there.meets(region)])
            if region.step:
                stretch.writers = [entry for entry in stretch.writers if not region.covers(entry[1])]
                stretch.readers = [entry for entry in stretch.readers if not region.covers(entry[1])]
                stretch.writers.append((who, region))
        if not region.step:
            self.bounds[first:behind] = [region.start]
            self.stretches[first:behind] = [_Stretch([(who, region)], [])]

    def _cut(self, region: Region) -> tuple[int, int]:
        """The stretches of a region, as a range of positions."""
        first = self._cut_at(region.start)
        return first, self._cut_at(region.stop)

    def _cut_at(self, at: int) -> int:
        """The stretch that begins there, from now on."""
        i = bisect_left(self.bounds, at)
        if i == len(self.bounds) or self.bounds[i] != at:
            before = self.stretches[i - 1]
            self.bounds.insert(i, at)
            self.stretches.insert(i, _Stretch(before.writers[:], before.readers[:]))
        return i
