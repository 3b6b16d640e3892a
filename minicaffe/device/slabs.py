"""What the host hands over for a pass, in one piece of memory that travels while the GPU computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels import delivery
from .feed import Feed, Holder

ALIGNMENT = delivery.UNIT  # bytes: of the pieces in a slab
LARGE_BYTES = 1 << 20  # pieces from here on are copied by the GPU's copy engine, smaller ones by one kernel


class Slab:
    """A block of pinned memory, and one on the device of the same size that its bytes are sent to.

    filled   the event behind the bytes' way to the device: from then on the host may write anew
    emptied  the event behind the pass that read them: from then on others may be sent
    """

    def __init__(self, device) -> None:
        self.device = device
        self.pinned = np.empty(0, np.uint8)
        self.there: Any = None
        self.filled, self.emptied = device.event(), device.event()

    def room(self, nbytes: int) -> np.ndarray:
        """The pinned bytes, at least so many; what was written into them stays."""
        if self.pinned.size < nbytes:
            larger = self.device.host_empty((max(nbytes, 2 * self.pinned.size),), np.uint8)
            larger[: self.pinned.size] = self.pinned
            self.pinned = larger
        return self.pinned

    def reach(self, nbytes: int) -> None:
        """Make room for so many bytes on the device; what it held is lost."""
        if self.there is None or self.there.size < nbytes:
            self.device.synchronize()  # the memory may still be read by what was queued before
            self.there = self.device.empty((nbytes,), np.uint8)

    def send(self, nbytes: int) -> None:
        """Let the first bytes travel."""
        self.device.carry(self.pinned[:nbytes], self.there, self.emptied, self.filled)


class SlabFeed(Feed):
    """Two slabs take turns: while a pass reads what one brought, the host fills the other, and its bytes
    travel on a stream of their own.  A capture reads one of the two, so there are two of every graph."""

    def __init__(self, device) -> None:
        super().__init__(device)
        self._slabs = Slab(device), Slab(device)
        self._pieces: list[tuple[int, Holder]] = []  # where each begins in the slab
        self._end = 0
        self._delivered = True

    def begin(self) -> None:
        if not self._delivered:  # an error came in between: nobody knows what is under way
            self.device.synchronize()
        self.turn ^= 1
        self.device.wait(self._slabs[self.turn].filled)
        self._pieces, self._end, self._delivered = [], 0, False

    def put(self, host, holder) -> None:
        out, start = holder.data, self._end
        if not out.nbytes:
            return
        self._end += -(-out.nbytes // ALIGNMENT) * ALIGNMENT
        room = self._slabs[self.turn].room(self._end)[start : start + out.nbytes]
        np.copyto(room.view(out.dtype).reshape(out.shape), host, casting="unsafe")
        self._pieces.append((start, holder))

    def send(self) -> None:
        if not self._end:  # nothing that depends on the turn: one graph will do
            self.turn, self.contents = self.turn ^ 1, ()
            return
        filled = self._slabs[self.turn]
        for slab in self._slabs:
            slab.reach(filled.pinned.size)
        filled.send(self._end)
        arrays = [(start, holder.data) for start, holder in self._pieces]
        self.contents = (
            *(slab.there.data.ptr for slab in self._slabs),
            *((start, a.data.ptr, a.shape, a.dtype.str) for start, a in arrays),
        )

    def deliver(self) -> None:
        small = []
        for start, holder in self._pieces:
            piece = start, self.device.checked(holder.data).reshape(-1).view(np.uint8)
            if piece[1].size < LARGE_BYTES and piece[1].data.ptr % ALIGNMENT == 0:
                small.append(piece)
            else:
                self._copy(*piece)
        for i in range(0, len(small), delivery.MOST):
            self._hand_out(small[i : i + delivery.MOST])

    def _copy(self, start: int, out: Any) -> None:
        self.device.move(self._slabs[self.turn].there.data.ptr + start, out.data.ptr, out.nbytes)

    def _hand_out(self, pieces: Sequence[tuple[int, Any]]) -> None:
        slab = self._slabs[self.turn].there
        lacking = delivery.MOST - len(pieces)
        starts = [start // ALIGNMENT for start, _ in pieces] + [0] * lacking
        sizes = [out.size for _, out in pieces] + [0] * lacking
        arrays = [out for _, out in pieces] + [pieces[0][1]] * lacking
        self.device.bind(delivery).hand_out(slab, *arrays, delivery.Pieces(*starts, *sizes))

    def delivered(self) -> None:
        self.device.mark(self._slabs[self.turn].emptied)
        self._delivered = True
