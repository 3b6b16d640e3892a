"""From when to when every buffer is needed.

A net of L layers runs 2L steps: forward of layer i is step i, its backward step 2L - 1 - i.  The facts that
layers declare say which steps read and write each blob's data and diff; whatever is never alive at the same
step may share memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .gradients import Backward
from .wiring import Graph


class Span(NamedTuple):
    """The first and last step at which something is needed."""

    first: int
    last: int


class Liveness(NamedTuple):
    """Spans per blob of data and diff (None: never needed), and per layer of its saved buffers."""

    data: list[Span | None]
    diff: list[Span | None]
    saved: list[Span]
    dead: list[
        list[int]
    ]  # per layer: tops whose diff its backward reads and nobody writes; they count as zero


def liveness(
    graph: Graph,
    reads: Sequence[frozenset[str]],
    backward: Sequence[Backward],
    losses: Sequence[Sequence[float]],
    data_of: Sequence[int],
    diff_of: Sequence[int],
) -> Liveness:
    """reads[i]: backward_reads of layer i; losses[i][j]: weight of its top j; data_of, diff_of: for each
    blob, the blob whose memory it shares (itself if none).  Spans of shared memory are united and stand at
    the owner."""
    count = len(graph.nodes)
    end = 2 * count - 1
    data: dict[int, list[int]] = {}
    diff: dict[int, list[int]] = {}
    writers: dict[int, list[int]] = {}  # blob -> the layers whose backward writes its diff
    for i, node in enumerate(graph.nodes):
        back = end - i
        for blob in node.bottoms + node.tops:
            data.setdefault(data_of[blob], []).append(i)
        if not backward[i].runs:
            continue
        if "bottom.data" in reads[i]:
            for blob in node.bottoms:
                data[data_of[blob]].append(back)
        if reads[i] & {"top.data", "top.sign"}:
            for blob in node.tops:
                data[data_of[blob]].append(back)
        for blob, propagates in zip(node.bottoms, backward[i].propagate):
            if propagates:
                diff.setdefault(diff_of[blob], []).append(back)
                writers.setdefault(blob, []).append(i)
        for blob in node.tops:
            diff.setdefault(diff_of[blob], []).append(back)
    dead: list[list[int]] = []
    for i, node in enumerate(graph.nodes):
        dead.append([])
        for blob, weight in zip(node.tops, losses[i]):
            if backward[i].runs and not weight and not any(j > i for j in writers.get(blob, ())):
                dead[i].append(blob)
    weighted = [blob for node, w in zip(graph.nodes, losses) for blob, x in zip(node.tops, w) if x]
    for blob in graph.outputs + weighted:  # read by the host when the pass is over
        data.setdefault(data_of[blob], []).append(end)
    spans = range(len(graph.blob_names))
    return Liveness(
        [_span(data.get(b)) for b in spans],
        [_span(diff.get(b)) for b in spans],
        [Span(i, end - i if b.runs else i) for i, b in enumerate(backward)],
        dead,
    )


def _span(steps: list[int] | None) -> Span | None:
    return Span(min(steps), max(steps)) if steps else None


def fills(
    graph: Graph,
    dead: Sequence[Sequence[int]],
    losses: Sequence[Sequence[float]],
    diff_of: Sequence[int],
    *,
    apart: bool,
) -> list[list[tuple[int, float]]]:
    """Per layer the blobs whose diff is to be set before its backward, and to what.  `apart`: every blob has
    memory of its own."""
    uses = Counter(diff_of)
    found = []
    for node, unwritten, factors in zip(graph.nodes, dead, losses):
        # A dead diff with memory of its own is zero from the start; in the arena others used the bytes.
        zeros = [] if apart else [(blob, 0.0) for blob in unwritten]
        # The weight of a loss stays where it was put, unless the diff is also another blob's.
        weights = [(b, weight) for b, weight in zip(node.tops, factors) if weight and uses[diff_of[b]] > 1]
        found.append(zeros + weights)
    return found
