"""From when to when every buffer is needed.

A program of L steps runs 2L of them: forward of step k at time k, its backward at time 2L - 1 - k.  The facts
that layers declare say at which times each blob's data and diff are read and written; whatever is never alive
at the same time may share memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .program import Program, Step


class Span(NamedTuple):
    """The first and last time at which something is needed."""

    first: int
    last: int


class Liveness(NamedTuple):
    """Spans per blob of data and diff (None: never needed), at the blob whose memory it is, and per step of
    its layer's saved buffers."""

    data: list[Span | None]
    diff: list[Span | None]
    saved: list[Span]


class Start(NamedTuple):
    """A gradient that no layer computes: before the backward of a step, a blob's diff is set to a value.

    once  it stays as it is put: it is set when the diff gets new memory
    """

    step: int
    blob: int
    value: float
    once: bool


def liveness(program: Program, data_of: Sequence[int], diff_of: Sequence[int]) -> Liveness:
    """data_of, diff_of: for each blob, the blob whose memory it uses (itself if none).  Spans of shared
    memory are united and stand at the owner."""
    end = 2 * len(program.steps) - 1
    data: dict[int, list[int]] = {}
    diff: dict[int, list[int]] = {}
    for k, step in enumerate(program.steps):
        back = end - k
        for blob in step.bottoms + step.tops:
            data.setdefault(data_of[blob], []).append(k)
        if not step.backward.runs:
            continue
        if "bottom.data" in step.reads:
            for blob in step.bottoms:
                data[data_of[blob]].append(back)
        if step.reads & {"top.data", "top.sign"}:
            for blob in step.tops:
                data[data_of[blob]].append(back)
        for blob, propagates in zip(step.bottoms, step.backward.propagate):
            if propagates:
                diff.setdefault(diff_of[blob], []).append(back)
        for blob, _ in slopes(step):
            diff.setdefault(diff_of[blob], []).append(back)
    weighted = [blob for step in program.steps for blob, x in zip(step.tops, step.losses) if x]
    for blob in (*program.outputs, *weighted):  # read by the host when the pass is over
        data.setdefault(data_of[blob], []).append(end)
    blobs = range(len(program.names))
    return Liveness(
        [_span(data.get(b)) for b in blobs],
        [_span(diff.get(b)) for b in blobs],
        [Span(k, end - k if step.backward.runs else k) for k, step in enumerate(program.steps)],
    )


def _span(times: list[int] | None) -> Span | None:
    return Span(min(times), max(times)) if times else None


def slopes(step: Step) -> list[tuple[int, float]]:
    """The tops whose diff a step's backward reads, with what each counts in the loss."""
    unread = step.layer.detached_tops | step.layer.stepwise_tops
    weighted = enumerate(zip(step.tops, step.losses))
    return [(blob, weight) for i, (blob, weight) in weighted if weight or i not in unread]


def starts(program: Program, diff_of: Sequence[int], *, apart: bool) -> list[Start]:
    """Where gradients start: at tops with a loss weight, and at tops whose diff a backward reads and nobody
    writes, which counts as zero.  `apart`: every blob has memory of its own."""
    written: dict[int, list[int]] = {}  # owner of a diff -> the steps whose backward writes it
    for k, step in enumerate(program.steps):
        for blob, propagates in zip(step.bottoms, step.backward.propagate):
            if propagates and step.backward.runs:
                written.setdefault(diff_of[blob], []).append(k)
    uses = Counter(diff_of)
    found = []
    for k, step in enumerate(program.steps):
        for blob, weight in slopes(step):
            if weight:
                # It stays where it was put, unless the diff is also another blob's.
                found.append(Start(k, blob, weight, uses[diff_of[blob]] == 1))
            elif step.backward.runs and not any(j > k for j in written.get(diff_of[blob], ())):
                # With memory of its own it is zero from the start; elsewhere others used the bytes.
                found.append(Start(k, blob, 0.0, apart))
    return found
