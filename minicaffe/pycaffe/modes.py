"""Where nets are built and from which seed: Caffe's globals, of the calling thread as there.

A net stays on the device that was set when it was built, in float32.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np

from ..device.base import Device
from ..device.cpu import CpuDevice
from ..device.gpus import check_number, count_gpus, import_cupy
from ..errors import ConfigError
from .turns import Turn
from .view import BlobView

SEEDS = 2**32  # how many there are
STRIDE = 0x9E3779B9  # between the seeds of nets built one after another: odd, so that all differ


class Modes(threading.local):
    """What one thread has set."""

    gpu = False
    number = 0
    seeds: Iterator[int] | None = None


MODES = Modes()


class SharedDevice:
    """A device, shared by all nets that are built on it, and the views of their blobs that hold copies.

    turn  to be taken by whoever builds, changes or runs one of the nets
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.turn = Turn()
        self.copied: weakref.WeakSet[BlobView] = weakref.WeakSet()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """While this thread runs passes: what was written into copies is there, and afterwards they hold what
        was computed."""
        with self.turn:
            self.flush()
            try:
                yield
            finally:
                self.refresh()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While a user's code runs in the middle of passes: it sees what was computed so far, and what it
        writes counts."""
        self.refresh()
        try:
            with self.turn.given_up():
                yield
        finally:
            self.flush()

    def flush(self) -> None:
        for view in list(self.copied):
            view.flush()

    def refresh(self) -> None:
        for view in list(self.copied):
            view.refresh()


DEVICES: dict[int | None, SharedDevice] = {}  # by number of the GPU; None for the CPU


def shared_device() -> SharedDevice:
    """Where nets are built now; DeviceError if there is no such GPU."""
    key = MODES.number if MODES.gpu else None
    if key not in DEVICES:
        DEVICES[key] = SharedDevice(_open(key))
    return DEVICES[key]


def _open(number: int | None) -> Device:
    if number is None:
        return CpuDevice(np.float32)
    from ..device.cuda import CudaDevice

    return CudaDevice(np.float32, number=number, asked=f"caffe.set_device({number})")


def set_mode_cpu() -> None:
    """Build nets on the CPU from now on."""
    MODES.gpu = False


def set_mode_gpu() -> None:
    """Build nets on the GPU that set_device names, 0 if none was, from now on; DeviceError if there is no
    GPU."""
    import_cupy("caffe.set_mode_gpu()")
    MODES.gpu = True


def set_device(number: int) -> None:
    """Choose the GPU that set_mode_gpu means; DeviceError if there is no such GPU."""
    asked = f"caffe.set_device({number})"
    check_number(number, count_gpus(import_cupy(asked), asked), asked)
    MODES.number = number


def set_random_seed(seed: int) -> None:
    """Let the next net or solver be filled and run from this seed, and those after it from seeds that follow
    from it.  A solver's own random_seed comes first."""
    if not 0 <= seed < SEEDS:
        raise ConfigError(f"a seed must be from 0 to {SEEDS - 1}; got {seed}")
    MODES.seeds = ((seed + i * STRIDE) % SEEDS for i in count())


def next_seed() -> int | None:
    """The seed of the net that is built now; None: any."""
    return next(MODES.seeds) if MODES.seeds else None
