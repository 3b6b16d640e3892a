"""Blob: an N-dimensional value and its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError

MAX_AXES = 32  # Caffe's limits, the second also that of indices in kernels
MAX_COUNT = 2**31 - 1


def checked_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`, if blob `name` can have it; else ShapeError."""
    if len(shape) > MAX_AXES:
        raise ShapeError(f"blob {name!r} cannot have {len(shape)} axes; {MAX_AXES} is the most")
    what = f"blob {name!r} cannot have the shape {shape}"
    if any(d < 0 for d in shape):
        raise ShapeError(f"{what}: an axis is negative")
    count = max(math.prod(shape), *shape, 0)
    if count > MAX_COUNT:
        raise ShapeError(f"{what}: {count} elements are more than {MAX_COUNT}")
    return tuple(shape)


class Buffer:
    """An array to be: shape and type now, memory later.

    Layers record what they need while shapes are settled; the net then decides where everything lies and
    binds `data`.
    """

    __slots__ = ("data", "dtype", "name", "shape")

    def __init__(self, name: str, shape: tuple[int, ...], dtype) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.data: Any = None  # an array of the device, bound by the net's plan

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"Buffer({self.name!r}, {self.shape}, {self.dtype})"


class Blob:
    """A value that flows through the net, or a parameter: `data`, and `diff`, the gradient by it.

    A blob never owns memory: the net binds both arrays.  `share_data` and `share_diff` make it an alias of
    another blob of equal count (Split, Flatten, Reshape), whose arrays it then sees in its own shape.

    step  elements from the start of one image (an index of axis 0) to that of the next, where the images lie
          apart, since they are parts of those of another blob (a bottom of a Concat): `data` and `diff` are
          then flat, from the first element to the last.  None where the blob lies in one piece, in its shape.
    """

    __slots__ = ("_data_of", "_diff_of", "data", "diff", "name", "on_reshape", "shape", "step")

    def __init__(
        self, name: str = "", shape: tuple[int, ...] = (), on_reshape: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.shape = checked_shape(name, shape)
        self.data: np.ndarray  # arrays of the device (NumPy's on the CPU), bound by the net's plan
        self.diff: np.ndarray
        self.unbind()
        self.step: int | None = None
        self._data_of: Blob | None = None  # None: its own; a blob that held itself would outlive its net
        self._diff_of: Blob | None = None
        self.on_reshape = on_reshape  # told of every change of shape: the net's plan is stale then

    def unbind(self) -> None:
        """Let the arrays go."""
        self.data = self.diff = None  # type: ignore[assignment]

    def reshape(self, *shape: int) -> None:
        """Set the shape.  Memory follows when the net plans again; what the blob held stays only where it has
        memory of its own that is large enough."""
        shape = checked_shape(self.name, shape)
        if shape != self.shape:
            self.shape = shape
            if self.on_reshape:
                self.on_reshape()

    def reshape_like(self, other: Blob) -> None:
        self.reshape(*other.shape)

    @property
    def data_of(self) -> Blob:
        """Whose memory the data is."""
        return self._data_of or self

    @property
    def diff_of(self) -> Blob:
        return self._diff_of or self

    def share_data(self, other: Blob) -> None:
        """Hold the same values as `other` (of equal count) without a copy."""
        self._same_count(other)
        self._data_of = other.data_of if other.data_of is not self else None

    def share_diff(self, other: Blob) -> None:
        """Hold the same gradient as `other` (of equal count) without a copy."""
        self._same_count(other)
        self._diff_of = other.diff_of if other.diff_of is not self else None

    def _same_count(self, other: Blob) -> None:
        if self.count != other.count:
            raise ShapeError(
                f"{self.shape} cannot share memory with {other.shape}: {self.count}, {other.count} elements"
            )

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def axis(self, index: int, *, insert: bool = False) -> int:
        """`index` as a non-negative axis; negative counts from the end (with `insert`, from one past the
        end)."""
        limit = len(self.shape) + (1 if insert else 0)
        if not -limit <= index < limit:
            raise ShapeError(f"axis {index} does not exist in blob {self.name!r} of shape {self.shape}")
        return index % limit if limit else 0

    def count_over(self, first: int, last: int | None = None) -> int:
        """The product of the axes from `first` to before `last`."""
        return math.prod(self.shape[first:last])

    def __repr__(self) -> str:
        return f"Blob({self.name!r}, {self.shape})"
