"""caffe.Timer."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from . import modes


class Timer:
    """Measures what runs between start() and stop() on the device that is set; `ms` are milliseconds."""

    def __init__(self) -> None:
        self._device = modes.shared_device().device
        self._mark = self._device.clock()
        self._started: Any = None
        self._stopped: Any = None

    def start(self) -> None:
        self._started, self._stopped = self._mark(), None

    def stop(self) -> None:
        if self._started is None:
            raise ConfigError("the timer was not started", hint="call start() first")
        self._stopped = self._mark()

    @property
    def ms(self) -> float:
        """Milliseconds between start and stop; a timer that runs is stopped."""
        if self._stopped is None:
            self.stop()
        return 1e3 * self._device.seconds(self._started, self._stopped)
