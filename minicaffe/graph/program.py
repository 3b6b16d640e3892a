"""What a net runs: a list of steps, each a layer with the blobs it reads and writes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..core.layer import Layer
from .gradients import Backward


@dataclass(frozen=True)
class Step:
    """One layer's turn.  Forward runs the steps in order, backward in reverse.

    index         of the layer among the net's layers
    bottoms, tops blobs, by index
    backward      whether it runs backward, and which gradients that computes
    losses        what each top counts in the loss
    reads         what its backward reads besides the gradients by its tops: see Layer.backward_reads
    relu          its forward ends with y = max(0, y): the ReLU behind it has no step of its own
    adding        per bottom whether its backward adds the gradient to what is there, instead of writing it
    """

    index: int
    layer: Layer
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]
    backward: Backward
    losses: tuple[float, ...]
    reads: frozenset[str]
    relu: bool = False
    adding: tuple[bool, ...] = ()

    def __str__(self) -> str:
        return f"{self.layer.name!r} ({self.layer.type})"


@dataclass(frozen=True)
class Joint:
    """Blobs that lie side by side in one block: image n of the block holds image n of every part, one behind
    the other.

    whole   the blob whose images are exactly those of the block (the top of a Concat, the bottom of a Slice)
    parts   the blobs in it, in order
    """

    whole: int
    parts: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """The steps of a net, and what passes decided about its blobs.

    names            of the blobs, by index
    inputs, outputs  blobs that are filled from outside, and those that nobody reads
    same_data, same_diff   blob -> the blob whose memory it uses, beyond what the layers themselves share
    joints           blobs that are parts of others, data and gradients alike
    notes            per pass, what it did, and what it left and why
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    same_data: dict[int, int] = field(default_factory=dict)
    same_diff: dict[int, int] = field(default_factory=dict)
    joints: tuple[Joint, ...] = ()
    notes: tuple[str, ...] = ()

    def noting(self, *notes: str) -> Program:
        """The same, with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def readers(self) -> dict[int, list[int]]:
        """Per blob, the positions of the steps that have it as a bottom."""
        found: dict[int, list[int]] = {}
        for k, step in enumerate(self.steps):
            for blob in step.bottoms:
                found.setdefault(blob, []).append(k)
        return found


def next_reader(readers: Mapping[int, Sequence[int]], blob: int, behind: int) -> tuple[int | None, bool]:
    """The position of the first step behind a position that has a blob as a bottom, None if there is none;
    and whether it is the only one there."""
    positions = readers.get(blob, ())
    at = bisect_right(positions, behind)
    return (positions[at] if at < len(positions) else None), at + 1 == len(positions)


class Ownership(NamedTuple):
    """For each blob the one whose memory it uses (itself, if its own), and the part of a joint that it is
    there, None if it is the whole."""

    owners: list[int]
    parts: list[int | None]


def ownership(own: Sequence[int], more: Mapping[int, int], joints: Sequence[Joint]) -> Ownership:
    """`own` is what the layers share, `more` what passes decided; the owner stands at the end of every
    chain."""
    whole_of = {part: joint.whole for joint in joints for part in joint.parts}
    found = Ownership([], [])
    for blob in range(len(own)):
        part = None
        while True:
            if own[blob] != blob:
                blob = own[blob]
            elif blob in more:
                blob = more[blob]
            elif blob in whole_of:
                part, blob = blob, whole_of[blob]
            else:
                break
        found.owners.append(blob)
        found.parts.append(part)
    return found
