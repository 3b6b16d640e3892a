"""The roof over every kernel of a machine: operations and bytes per second, as measured here and now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..device.base import Device

ROUNDS = 15
FLOPS = 1e9  # of a call, per thread: 10 ms where a core does 100 GFLOP/s
NBYTES = 64 << 20  # of an array: more than caches hold, but for a host's that is shared by many
EDGE = 4096  # of a GPU's square product


class Roof(NamedTuple):
    """The best that was seen: operations per second on registers (of a GPU: of a large matrix product); bytes
    per second that are read, and that move, two arrays read and one written (of a GPU: a copy)."""

    flops_per_s: float
    read_bytes_per_s: float
    moved_bytes_per_s: float

    @property
    def bytes_per_s(self) -> float:
        return max(self.read_bytes_per_s, self.moved_bytes_per_s)

    @property
    def ridge(self) -> float:
        """Operations per byte above which operations are the limit."""
        return self.flops_per_s / self.bytes_per_s

    def share(self, flops: int | None, nbytes: int | None, seconds: float) -> float | None:
        """The least time that a piece of work could take, over the time it took; None if nothing is known of
        the work.  What lies in a cache can be above 1."""
        least = max((flops or 0) / self.flops_per_s, (nbytes or 0) / self.bytes_per_s)
        return least / seconds if least and seconds > 0 else None

    def as_json(self) -> dict[str, float]:
        return self._asdict()


def measure(
    device: Device, *, nbytes: int = NBYTES, rounds: int = ROUNDS, flops: float = FLOPS, edge: int = EDGE
) -> Roof:
    """Of the device, with its type and threads."""
    if device.name != "cpu":
        return _of_gpu(device, nbytes, rounds, edge)
    from ..kernels import roof

    threads = threads_of(device)
    works = [
        roof.multiplying(device, threads, flops),
        roof.reading(device, threads, nbytes),
        roof.moving(device, threads, nbytes),
    ]
    return Roof(*(amount / _least(device, work, rounds) for work, amount in works))


def threads_of(device: Device) -> int:
    """How many a CPU device uses; 1 for another."""
    return int(device.describe().get("Threads used", 1))


def _of_gpu(device: Device, nbytes: int, rounds: int, edge: int) -> Roof:
    a, b, c = (device.zeros((edge, edge)) for _ in range(3))
    source, target = (device.zeros((nbytes,), np.uint8) for _ in range(2))
    product = 2 * edge**3 / _least(device, lambda: device.gemm(a, b, c), rounds)
    copied = 2 * nbytes / _least(device, lambda: device.copy(source, target), rounds)
    return Roof(product, copied, copied)


def _least(device: Device, work: Callable[[], Any], rounds: int) -> float:
    """The least seconds of a call; the first, which compiles and wakes the threads, does not count."""
    mark = device.clock()
    work()
    marks = []
    for _ in range(rounds):
        before = mark()
        work()
        marks.append((before, mark()))
    return min(device.seconds(*pair) for pair in marks)
