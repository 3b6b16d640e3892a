"""Event files for TensorBoard, of the same numbers as the metrics (extra `tensorboard`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import log
from ..errors import ConfigError, DataError, extra
from ..solvers.callbacks import Callback, Results

if TYPE_CHECKING:
    from ..solvers.callbacks import Training


class TensorBoard(Callback):
    """Scalars train/smoothed_loss, train/<output>, test0/<output> and lr into a new event file in `folder`;
    what has several elements gets their index behind its name.

    Raises ConfigError without tensorboardX, DataError for a folder that cannot be written.  A disk that is
    full later ends the file, not the training.
    """

    may_lag = True

    def __init__(self, folder: str | os.PathLike) -> None:
        try:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event
            from tensorboardX.summary import scalar
        except ImportError:
            raise ConfigError(
                "event files need tensorboardX, which is not installed",
                hint=extra("tensorboard"),
            ) from None
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.writer: Any = EventsWriter(str(Path(folder) / "events"))
        except OSError as error:
            raise DataError(f"cannot write event files into {folder}: {error.strerror or error}") from None
        self.folder = folder
        self.event, self.scalar = Event, scalar
        self.shown: Any = None

    def on_iteration(self, solver: Training) -> None:
        if solver.shown is not self.shown:
            self.shown = solver.shown
            self._add("train/smoothed_loss", [self.shown.loss], self.shown.iteration)
            self._add("lr", [] if solver.rate is None else [solver.rate], self.shown.iteration)
            for name, values in self.shown.outputs.items():
                self._add(f"train/{name}", values, self.shown.iteration)
            self._write(lambda writer: writer.flush())

    def on_test(self, solver: Training, results: Results) -> None:
        for index, result in enumerate(results):
            for name, values in result.items():
                self._add(f"test{index}/{name}", values, solver.iteration)
        self._write(lambda writer: writer.flush())

    def on_stop(self, solver: Training) -> None:
        self.on_iteration(solver)
        self._write(lambda writer: writer.close())

    def _add(self, name: str, values: Sequence[float], iteration: int) -> None:
        for i, value in enumerate(values):
            full = name if len(values) == 1 else f"{name}/{i}"
            summary = self.scalar(full, float(value))
            event = self.event(wall_time=time.time(), step=iteration, summary=summary)
            self._write(methodcaller("write_event", event))

    def _write(self, action: Callable[[Any], object]) -> None:
        if self.writer is None:
            return
        try:
            action(self.writer)
        except OSError as error:
            log.error(f"cannot write event files into {self.folder}: {error}; training goes on without them")
            self.writer = None
