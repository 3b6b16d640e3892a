"""How arrays of the host reach a GPU without anybody waiting."""

from __future__ import annotations

from typing import Any

import numpy as np

SLOTS = 16  # copies that may be under way before a new one has to wait
LARGE_BYTES = 1 << 20  # from here on a copy leaves from where the data is, not from a slot


class Slot:
    """Pinned memory, and an event that says when the copy that left from it is done."""

    def __init__(self, cupy) -> None:
        self.cupy = cupy
        self.event = cupy.cuda.Event(disable_timing=True)
        self.memory: Any = None
        self.bytes = np.empty(0, np.uint8)

    def holding(self, nbytes: int) -> np.ndarray:
        """The slot's bytes, when the last copy from them is done."""
        self.event.synchronize()
        if self.bytes.size < nbytes:
            self.bytes = pinned(self.cupy, nbytes)
        return self.bytes[:nbytes]


class Staging:
    """A ring of slots: what is to be sent is written into the next one, and the copy from it is queued, so
    that neither the caller's array nor the caller waits."""

    def __init__(self, cupy) -> None:
        self.runtime = cupy.cuda.runtime
        self.slots = [Slot(cupy) for _ in range(SLOTS)]
        self.turn = 0

    def send(self, host, out, stream) -> None:
        """Queue out = host on a stream, converting the type."""
        self.turn = (self.turn + 1) % SLOTS
        slot = self.slots[self.turn]
        data = slot.holding(out.nbytes)
        np.copyto(data.view(out.dtype).reshape(out.shape), host, casting="unsafe")
        self.copy(data, out.data.ptr, stream)
        slot.event.record(stream)

    def copy(self, host: np.ndarray, to: int, stream) -> None:
        """Queue the copy of a contiguous array to an address on the device; it must not change until the
        stream is there."""
        kind = self.runtime.memcpyHostToDevice
        self.runtime.memcpyAsync(to, host.ctypes.data, host.nbytes, kind, stream.ptr)


def pinned(cupy, nbytes: int) -> np.ndarray:
    """Bytes of the host that the operating system keeps in place, so that a GPU can fetch them by itself."""
    if not nbytes:
        return np.empty(0, np.uint8)
    return np.frombuffer(cupy.cuda.alloc_pinned_memory(nbytes), np.uint8, nbytes)
