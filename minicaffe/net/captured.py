"""Passes as units that a device replays."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol
from weakref import proxy

from .. import log
from ..core.layer import Layer
from ..core.weak import weakly
from ..device.base import Device
from ..device.feed import Feed
from ..errors import CaptureError


class Runs(Protocol):
    """What runs a net, as far as a unit has to know it: see Executor."""

    device: Device
    layout: int
    feed: Feed

    @property
    def one_by_one(self) -> bool: ...


class Captured:
    """Part of a net's work, `body`, as one unit that runs without Python: on a GPU a graph, launched at once,
    on the CPU a tape of loops.

    The first call runs body as it stands, which compiles and allocates whatever it needs; the second captures
    it; later ones replay that.  When the net's arrays have moved it all begins again.  Where that cannot be
    (a layer that needs the host, an observer, a library's call that CUDA will not record), body runs as it
    stands every time.

    fed   body delivers what the feed brought: it begins again, too, when that is something else than before,
          and is captured once for each of the feed's turns

    Neither `runs` nor body's object is kept alive: they own the unit.
    """

    def __init__(self, runs: Runs, body: Callable[[], None], *, fed: bool = False) -> None:
        self.runs, self.body, self.fed = proxy(runs), weakly(body), fed
        self._ran: Hashable = None  # the state of things when body ran last as it stands
        self._replays: dict[int, Callable[[], None]] = {}  # by turn

    def __call__(self) -> None:
        self._run()
        if self.fed:
            self.runs.feed.delivered()

    def _run(self) -> None:
        runs = self.runs
        if runs.one_by_one:
            self.body()
        elif self._ran != self._now:
            self.forget()
            before = self._now
            self.body()
            if before == self._now:  # else body gave blobs other shapes
                self._ran = before
        else:
            turn = runs.feed.turn if self.fed else 0
            if turn not in self._replays:
                self._replays[turn] = self._captured()
            self._replays[turn]()

    @property
    def _now(self) -> Hashable:
        return self.runs.layout, self.runs.feed.contents if self.fed else ()

    def _captured(self) -> Callable[[], None]:
        try:
            return self.runs.device.capture(self.body)
        except CaptureError as error:
            log.info(f"Layer by layer, not as a graph: {error}")
            return self.body

    def forget(self) -> None:
        """Let the next call begin again: what body does has changed."""
        if self._replays:
            self.runs.device.synchronize()  # a graph may be running
        self._ran, self._replays = None, {}


def report(layers: list[Layer], device: Device) -> None:
    """Say which of these layers, that need the host, keep a net from being captured; on the CPU there is
    nothing to capture."""
    if layers and not device.synchronous:
        names = ", ".join(f"{layer.name!r} ({layer.type})" for layer in layers)
        log.info(f"Layer by layer, not as a graph: the host takes part in {names}")
