"""The base of Concat and Slice: blobs that, one behind the other along an axis, are another."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.blob import Blob
from ...core.layer import Layer
from ...kernels import shape as kernels
from ...proto.schema import Message


class Parts(Layer):
    """Several blobs on one side, the parts, and the whole on the other; a single part shares its memory."""

    kernels = kernels
    backward_reads = frozenset()

    def read_axis(self, conf: Message, old: str) -> int:
        """`axis`, or the field `old`, its older name; ConfigError for both."""
        both = conf.HasField(old) and conf.HasField("axis")
        self.require(not both, f"both axis and {old} are set", f"remove {old}")
        return getattr(conf, old if conf.HasField(old) else "axis")

    def lay_out(self, bottom: Sequence[Blob], top: Sequence[Blob], axis: int) -> None:
        """At the end of reshape: how each part goes into the whole (`joins`), and out of it (`cuts`)."""
        self.joins: list[kernels.Rows] = []
        self.cuts: list[kernels.Rows] = []
        if len(bottom) == len(top):
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])
            return
        whole, parts = (top[0], bottom) if len(bottom) > 1 else (bottom[0], top)
        self.side_by_side = "" if axis != 1 else "bottom" if len(bottom) > 1 else "top"
        # Seen as rows, one per index in front of the axis, every row of the whole holds one of each part.
        rows, step, start = whole.count_over(0, axis), whole.count_over(axis), 0
        for part in parts:
            length = part.count_over(axis)
            self.joins.append(kernels.Rows(rows, length, 0, length, start, step))
            self.cuts.append(kernels.Rows(rows, length, start, step, 0, length))
            start += length
