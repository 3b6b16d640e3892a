"""Event files for TensorBoard, of the same numbers as the metrics (extra `tensorboard`)."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ConfigError
from ..solvers.callbacks import Callback


class TensorBoard(Callback):
    """Scalars train/loss, train/<output>, test0/<output> and lr into a new event file in `folder`; what has
    several elements gets their index behind its name."""

    def __init__(self, folder: str | os.PathLike) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ConfigError(
                "event files need tensorboardX, which is not installed",
                hint="pip install 'minicaffe[tensorboard]'",
            ) from None
        self.writer = SummaryWriter(str(folder))
        self.shown: Any = None

    def on_iteration(self, solver) -> None:
        if solver.shown is not self.shown:
            self.shown = solver.shown
            self._add("train/smoothed_loss", [self.shown.loss], self.shown.iteration)
            self._add("lr", [] if solver.rate is None else [solver.rate], self.shown.iteration)
            for name, values in self.shown.outputs.items():
                self._add(f"train/{name}", values, self.shown.iteration)

    def on_test(self, solver, results) -> None:
        for index, result in enumerate(results):
            for name, values in result.items():
                self._add(f"test{index}/{name}", values, solver.iteration)

    def on_snapshot(self, solver, path) -> None:
        self.writer.flush()

    def on_stop(self, solver) -> None:
        self.on_iteration(solver)
        self.writer.close()

    def _add(self, name: str, values, iteration: int) -> None:
        for i, value in enumerate(values):
            self.writer.add_scalar(name if len(values) == 1 else f"{name}/{i}", float(value), iteration)
