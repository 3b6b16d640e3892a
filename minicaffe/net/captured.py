"""Passes as units that a device replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from weakref import proxy

from .. import log
from ..core.layer import Layer
from ..core.weak import weakly
from ..device.base import Device
from ..errors import CaptureError


class Runs(Protocol):
    """What runs a net, as far as a unit has to know it: see Executor."""

    device: Device
    layout: int

    @property
    def one_by_one(self) -> bool: ...


class Captured:
    """Part of a net's work, `body`, as one unit: on a GPU a graph, launched at once and run without the host.

    The first call runs body as it stands, which compiles and allocates whatever it needs; the second captures
    it; later ones replay that.  When the net's arrays have moved it all begins again.  Where that cannot be
    (a layer that needs the host, an observer, a library's call that CUDA will not record), body runs as it
    stands every time.

    Neither `runs` nor body's object is kept alive: they own the unit.
    """

    def __init__(self, runs: Runs, body: Callable[[], None]) -> None:
        self.runs, self.body = proxy(runs), weakly(body)
        self._layout: int | None = None  # when body ran last
        self._replay: Callable[[], None] | None = None

    def __call__(self) -> None:
        runs = self.runs
        if runs.one_by_one:
            self.body()
        elif self._layout != runs.layout:
            self.forget()
            before = runs.layout
            self.body()
            if before == runs.layout:  # else body gave blobs other shapes
                self._layout = before
        else:
            if self._replay is None:
                self._replay = self._captured()
            self._replay()

    def _captured(self) -> Callable[[], None]:
        try:
            return self.runs.device.capture(self.body)
        except CaptureError as error:
            log.info(f"Layer by layer, not as a graph: {error}")
            return self.body

    def forget(self) -> None:
        """Let the next call begin again: what body does has changed."""
        if self._replay is not None:
            self.runs.device.synchronize()  # the graph may be running
        self._layout, self._replay = None, None


def report(layers: list[Layer], device: Device) -> None:
    """Say which of these layers, that need the host, keep a net from being captured; on the CPU there is
    nothing to capture."""
    if layers and not device.synchronous:
        names = ", ".join(f"{layer.name!r} ({layer.type})" for layer in layers)
        log.info(f"Layer by layer, not as a graph: the host takes part in {names}")
