"""What a layer's passes take: how much they compute, and how much memory they must move.

Reports ask for it (`minicaffe time`, `summary`, `check`); a pass does not.

Operations are multiply-adds.  A product that is added to a sum counts once, and so does a product or a sum
alone; comparisons, copies and look-ups count nothing, an elementary function (exp, tanh) as one.  A sum that
starts from a bias takes no more than without it.  Windows count whole, with what they cover beyond the edge
of an image.  Backward is counted as the formula in the layer's docstring says, where what forward has saved
is given.

Traffic is counted in elements, and is compulsory: a forward reads every bottom and parameter once and writes
every top once.  A backward reads the diffs of the tops and what `backward_reads` names, writes the diff of
every bottom that a gradient goes to, and reads and writes the gradient of every parameter that is trained,
because it is added to.  No cache spares a layer any of this, but for blobs small enough to stay in it from
the layer before; traffic over time is then more than the memory's bandwidth.

Blobs that share memory without being in place (Split, Flatten, Reshape, Concat of one bottom) are not moved:
they count nothing.  In place a blob is read and written, and counts twice.  What forward saves for backward
besides blobs (the places of maxima, statistics, partial sums) is a kernel's own affair and counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .blob import Blob

Blobs = Sequence[Blob]
Flags = Sequence[bool]


class Workload:
    """The part of Layer that says what its passes take, in the present shapes.

    operations  multiply-adds per element of bottom 0: of a forward, of a gradient by one bottom, of one by
                one parameter; may be set in setup.  None: not known, unless the methods are overridden

    The methods suit layers that work element by element, move, or look up; a layer that takes something else
    overrides them.  None means that it is not known.  Of backward, `propagate_down` and `params` say which
    gradients are computed: a flag per bottom and per parameter.
    """

    operations: tuple[int, int, int] | None = None
    source: bool
    backward_reads: frozenset[str]
    detached_tops: frozenset[int]
    stepwise_tops: frozenset[int]
    params: list[Blob]

    def remarks(self) -> list[str]:
        """What is worth telling about the way in which a CPU computes it, for people."""
        return []

    def forward_operations(self, bottom: Blobs, top: Blobs) -> int | None:
        """Multiply-adds of a forward."""
        return None if self.operations is None else self.operations[0] * elements(bottom[:1])

    def backward_operations(
        self, bottom: Blobs, top: Blobs, propagate_down: Flags, params: Flags
    ) -> int | None:
        """Multiply-adds of a backward that computes these gradients."""
        if self.operations is None:
            return None
        _, by_bottom, by_param = self.operations
        return (by_bottom * sum(propagate_down) + by_param * sum(params)) * elements(bottom[:1])

    def forward_traffic(self, bottom: Blobs, top: Blobs) -> int | None:
        """Elements that a forward reads and writes."""
        written = [y for y in top if not _is_alias(y, bottom, "data_of")]
        if self.source or (top and not written):  # what a source brings is put in place between passes
            return 0
        return self.read_by_forward(bottom, top) + elements(written)

    def backward_traffic(self, bottom: Blobs, top: Blobs, propagate_down: Flags, params: Flags) -> int | None:
        """Elements that a backward that computes these gradients reads and writes."""
        added_to = [blob for blob, wanted in zip(self.params, params) if wanted]
        going = [x for x, wanted in zip(bottom, propagate_down) if wanted]
        written = [x for x in going if not _is_alias(x, top, "diff_of")]
        if not (added_to or written):
            return 0
        unread = self.detached_tops | self.stepwise_tops
        slopes = elements(y for i, y in enumerate(top) if i not in unread)
        read = self.read_by_backward(bottom, top, propagate_down, params)
        return slopes + read + elements(written) + 2 * elements(added_to)

    def read_by_forward(self, bottom: Blobs, top: Blobs) -> int:
        """Elements of bottoms and parameters that a forward reads."""
        return elements(_distinct(bottom)) + elements(self.params)

    def read_by_backward(self, bottom: Blobs, top: Blobs, propagate_down: Flags, params: Flags) -> int:
        """Elements of bottoms, tops and parameters, not of diffs, that a backward reads."""
        blobs = [*bottom] if "bottom.data" in self.backward_reads else []
        blobs += top if self.backward_reads & {"top.data", "top.sign"} else []
        return elements(_distinct(blobs))


def elements(blobs: Iterable[Blob]) -> int:
    """How many elements blobs have together."""
    return sum(blob.count for blob in blobs)


def _distinct(blobs: Iterable[Blob]) -> list[Blob]:
    """One blob per memory."""
    return list({id(blob.data_of): blob for blob in blobs}.values())


def _is_alias(blob: Blob, others: Blobs, kind: str) -> bool:
    """Whether it is another name of the memory of one of the others, "data_of" or "diff_of", so that nothing
    has to be moved.  The same blob, in place, is not."""
    owner = getattr(blob, kind)
    return all(blob is not other for other in others) and any(
        getattr(other, kind) is owner for other in others
    )
