"""The base of ResizeBilinear and ResizeNearestNeighbor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import resize
from ...proto.schema import Message


class Places(NamedTuple):
    """Along one axis, for every output: two inputs, and the share of the second."""

    first: np.ndarray
    second: np.ndarray
    share: np.ndarray


class Resizing(Layer):
    """x (n, h, w, c), or (n, c, h, w) with data_format: "NCHW", to another h and w.

    A subclass says where outputs lie (`places`); how that is rounded is the business of its fork.
    """

    kernels = resize
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def take(self, conf: Message, modes: tuple[str, ...]) -> None:
        """In setup: of the fields `modes` at most one may be true."""
        self.conf = conf
        self.require(
            conf.data_format in ("NHWC", "NCHW"),
            f'data_format must be "NHWC" or "NCHW"; got {conf.data_format!r}',
        )
        self.first = 1 if conf.data_format == "NHWC" else 2  # the axis of rows
        given = [name for name in modes if getattr(conf, name)]
        self.require(len(given) < 2, f"{' and '.join(given)} are true: places follow from one of them")
        self.mode = given[0] if given else ""
        self.made_for: tuple[int, ...] = ()

    def places(self, extent: int, out: int) -> Places:
        """Of an axis of `extent` inputs and `out` outputs."""
        raise NotImplementedError

    def step(self, extent: int, out: int) -> np.float32:
        """Inputs from one output to the next, in float32 as the fork has it."""
        corners = self.mode == "align_corners" and out > 1
        return (
            np.float32(extent - 1) / np.float32(out - 1) if corners else np.float32(extent) / np.float32(out)
        )

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes, {self.conf.data_format}; got {shape}")
        h, w = size = shape[self.first : self.first + 2]
        out = [self._extent(n, name) for n, name in zip(size, ("height", "width"))]
        if min(*size, *out) < 1:
            raise ShapeError(f"{h} x {w} pixels of bottom 0, {shape}, cannot become {out[0]} x {out[1]}")
        top[0].reshape(*shape[: self.first], *out, *shape[self.first + 2 :])
        x = bottom[0]
        self.g = resize.Sizes(x.count_over(0, self.first), h, w, *out, x.count_over(self.first + 2))
        if self.allocate and (*size, *out) != self.made_for:
            self.made_for = (*size, *out)
            self.rows, self.columns = (self._tables(self.places(n, o), n) for n, o in zip(size, out))

    def _extent(self, extent: int, name: str) -> int:
        if self.conf.HasField(f"output_{name}"):
            return getattr(self.conf, f"output_{name}")
        return int(np.float32(extent) * np.float32(getattr(self.conf, f"scale_{name}")))

    def _tables(self, places: Places, extent: int):
        """On the device: pairs of inputs, shares, and the first and last output that may use each input."""
        pairs = np.stack(places[:2], 1).astype(np.int32)
        uses = np.tile(np.array([0, -1], np.int32), (extent, 1))
        for at in range(extent):
            users = np.flatnonzero((pairs == at).any(1))
            uses[at] = (users[0], users[-1]) if users.size else (0, -1)
        tables = []
        for values, dtype in ((pairs, np.int32), (places.share, None), (uses, np.int32)):
            array = self.device.empty((values.size,), dtype) if dtype else self.device.empty((values.size,))
            self.device.put(values.reshape(-1), array)
            tables.append(array)
        return tables

    def forward(self, bottom, top):
        (rows, down, _), (columns, across, _) = self.rows, self.columns
        self.k.resize_forward(bottom[0].data, top[0].data, rows, columns, down, across, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            (rows, down, row_uses), (columns, across, column_uses) = self.rows, self.columns
            tables = rows, columns, down, across, row_uses, column_uses
            self.k.resize_backward(top[0].diff, bottom[0].diff, *tables, self.g)
