"""A blob as Python code of users sees it: arrays on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..device.base import Device
from ..errors import ShapeError
from .blob import Blob


class BlobView:
    """pycaffe's Blob: data and diff as NumPy arrays, shape, reshape.

    Where the blob's memory can be written directly the arrays are that memory.  Otherwise, and after a
    reshape that the memory has not followed yet, they are copies, which `flush` writes back.
    """

    def __init__(self, blob: Blob, device: Device) -> None:
        self._blob, self._device = blob, device
        self._copies: dict[str, np.ndarray] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return self._blob.shape

    @property
    def count(self) -> int:
        return self._blob.count

    num = property(lambda self: self._legacy(0))
    channels = property(lambda self: self._legacy(1))
    height = property(lambda self: self._legacy(2))
    width = property(lambda self: self._legacy(3))

    def _legacy(self, axis: int) -> int:
        """One of four axes, 1 if it is missing."""
        if len(self.shape) > 4:
            raise ShapeError(f"num, channels, height and width are for up to 4 axes; got {self.shape}")
        return self.shape[axis] if axis < len(self.shape) else 1

    def reshape(self, *shape: int) -> None:
        self._blob.reshape(*map(int, shape))

    @property
    def data(self) -> np.ndarray:
        return self._array("data")

    @property
    def diff(self) -> np.ndarray:
        return self._array("diff")

    def _array(self, kind: str) -> np.ndarray:
        bound: Any = getattr(self._blob, kind)
        follows = bound is not None and bound.shape == self.shape
        if follows and isinstance(bound, np.ndarray):
            return bound
        copy = self._copies.get(kind)
        if copy is None or copy.shape != self.shape:
            copy = self._device.get(bound) if follows else np.zeros(self.shape, self._device.dtype)
            self._copies[kind] = copy
        return copy

    def forget(self) -> None:
        """Read the blob's memory anew."""
        self._copies.clear()

    def flush(self) -> None:
        """Bring what was written into copies to the blob's memory, where it has any."""
        for kind, copy in self._copies.items():
            bound: Any = getattr(self._blob, kind)
            if bound is not None and bound.shape == copy.shape:
                self._device.put(copy, bound)
        self._copies.clear()


class ParamViews:
    """pycaffe's BlobVec: the parameters of a Python layer.

    add(shape, values) makes a parameter that starts with the values an array holds after setup.
    """

    def __init__(self, device: Device, add: Callable[[tuple[int, ...], np.ndarray], Blob]) -> None:
        self._device, self._add = device, add
        self._views: list[BlobView] = []

    def add_blob(self, *shape: int) -> None:
        values = np.zeros(tuple(map(int, shape)), self._device.dtype)
        view = BlobView(self._add(values.shape, values), self._device)
        view._copies["data"] = values  # until the net has given the parameter its memory
        self._views.append(view)

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, index: int) -> BlobView:
        return self._views[index]

    def __iter__(self) -> Iterator[BlobView]:
        return iter(self._views)
