"""The base of layers that bring data in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.blob import Blob
from ...core.layer import Count, Layer, Put
from ...data.epoch import Epoch


class Source(Layer):
    """No bottoms; `stage` and `unpack` put the next batch into the tops, and the passes have nothing to do.

    A subclass sets self.shapes, one per top, in setup, and implements stage.
    """

    bottoms = 0
    tops: Count = (1, None)
    backward_reads = frozenset()
    source = True
    operations = (0, 0, 0)

    shapes: list[tuple[int, ...]]

    def reshape(self, bottom, top):
        for blob, shape in zip(top, self.shapes, strict=True):
            blob.reshape(*shape)

    def stage(self, passes, top, put):
        raise NotImplementedError

    def epoch(self) -> Epoch | None:
        """The samples that an epoch brings; None for a source that has no epochs."""
        return None

    def check_source(self, message: str, hint: str = "", moved: Sequence[str] = ()) -> None:
        """ConfigError unless this message of the parameters has a source, which is what `hint` says, and a
        batch_size, and leaves the fields in `moved` to transform_param."""
        conf = getattr(self.param, message)
        self.require(bool(conf.source), f"{message}.source must be set", hint)
        self.require(conf.batch_size > 0, f"{message}.batch_size must be at least 1")
        for field in moved:
            hint = f"set {field} in transform_param"
            self.require(not conf.HasField(field), f"{message}.{field} has no effect", hint)

    def hand_over(self, arrays: Sequence[np.ndarray], top: Sequence[Blob], put: Put) -> None:
        """Put a batch on the host into the tops."""
        self.follow([array.shape for array in arrays], top)
        for blob, array in zip(top, arrays):
            put(array, blob)

    def follow(self, shapes: list[tuple[int, ...]], top: Sequence[Blob]) -> None:
        """Before a batch of these shapes is put into the tops: if the tops have others, they and the layers
        behind follow."""
        if shapes != [blob.shape for blob in top]:
            self.shapes = shapes
            self.reshape((), top)
            self.settle()

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        pass
