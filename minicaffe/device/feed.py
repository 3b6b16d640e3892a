"""How what the host prepares for a pass reaches a device."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike


class Holder(Protocol):
    """What has an array of the device: a blob, a buffer, the stream of a layer's random numbers."""

    data: Any


class Array:
    """The holder of an array that stays where it is."""

    def __init__(self, data: Any) -> None:
        self.data = data


class Feed:
    """What the host hands over for one pass: batches, labels, keys of random numbers, settings.

    The host calls `begin`, `put` for every array, then `send`; the device's part is `deliver`, which a
    capture may record; `delivered` follows when that is queued.  Where a device is synchronous, as here, an
    array is there as soon as it is put.

    turn      which of the ways through memory this pass takes: a capture holds for one of them
    contents  what was put where, and in which shapes: a capture holds for the same contents alone
    """

    turn = 0
    contents: Hashable = ()

    def __init__(self, device) -> None:
        self.device = device
        self._put: list[Holder] = []

    def begin(self) -> None:
        """Before the first `put` of a pass; may wait for an earlier pass."""
        self._put.clear()

    def put(self, host: ArrayLike, holder: Holder) -> None:
        """holder.data becomes a copy of `host`, converted to its type.  `host` may change as soon as the call
        returns; holder.data may become another array of that size until `send`."""
        self.device.put(np.asarray(host), holder.data)
        self._put.append(holder)

    def send(self) -> None:
        """Behind the last `put`."""
        arrays = [holder.data for holder in self._put]
        self.contents = tuple((self.device.address(a), a.shape, a.dtype) for a in arrays)

    def deliver(self) -> None:
        """Bring what was sent to its places."""

    def delivered(self) -> None:
        """`deliver` is queued, by itself or in a graph."""
