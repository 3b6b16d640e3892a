"""Passes as units that a device replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import proxy

from . import log
from .core.weak import weakly
from .errors import CaptureError

if TYPE_CHECKING:
    from .net import Net


class Captured:
    """Part of a net's work, `body`, as one unit: on a GPU a graph, launched at once and run without the host.

    The first call runs body as it stands, which compiles and allocates whatever it needs; the second captures
    it; later ones replay that.  When the net's arrays have moved it all begins again.  Where that cannot be
    (a layer that needs the host, debug_info, an observer, a library's call that CUDA will not record), body
    runs as it stands every time.

    Neither net nor body's object is kept alive: they own the unit.
    """

    def __init__(self, net: Net, body: Callable[[], None]) -> None:
        self.net, self.body = proxy(net), weakly(body)
        self._layout: int | None = None  # of the net, when body ran last
        self._replay: Callable[[], None] | None = None

    def __call__(self) -> None:
        net = self.net
        if net.on_host or net.debug_info or net.observer:
            self.body()
        elif self._layout != net.layout:
            self.forget()
            before = net.layout
            self.body()
            if before == net.layout:  # else body gave blobs other shapes
                self._layout = before
        else:
            if self._replay is None:
                self._replay = self._captured()
            self._replay()

    def _captured(self) -> Callable[[], None]:
        try:
            return self.net.device.capture(self.body)
        except CaptureError as error:
            log.info(f"Layer by layer, not as a graph: {error}")
            return self.body

    def forget(self) -> None:
        """Let the next call begin again: what body does has changed."""
        if self._replay is not None:
            self.net.device.synchronize()  # the graph may be running
        self._layout, self._replay = None, None


def report(net: Net) -> None:
    """Say which layers keep the net from being captured; on the CPU there is nothing to capture."""
    if net.on_host and not net.device.synchronous:
        names = ", ".join(f"{layer.name!r} ({layer.type})" for layer in net.on_host)
        log.info(f"Layer by layer, not as a graph: the host takes part in {names}")
