"""ema: an exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...device.base import Device
from ...errors import ConfigError
from ...kernels import update
from ...proto.schema import SolverParameter
from .. import snapshot
from ..callbacks import Callback


class Average(Callback):
    """average = decay * average + (1 - decay) * w after every update; it begins as the weights that training
    begins with.  Tests run on the average, training does not; snapshots hold it as P_iter_N_ema.caffemodel.

    All parameters are averaged, the statistics of BatchNorm among them.
    """

    key = "ema"

    def __init__(self, param: SolverParameter, device: Device) -> None:
        self.decay = param.ema.decay
        if not 0 <= self.decay < 1:
            what = f"ema.decay must be from 0 to below 1; got {self.decay:g}"
            raise ConfigError(what, field="ema.decay")
        self.k = device.bind(update)
        self.values: Any = None  # the average, as long as the block of parameters
        self.averaged = False  # the two have changed places

    def on_start(self, solver) -> None:
        if self.values is None:
            data = solver.net.parameters.data
            self.values = solver.device.empty(data.shape)
            solver.device.copy(data, self.values)

    def on_iteration(self, solver) -> None:
        if self.values is not None:
            self.k.blend(solver.net.parameters.data, self.values, self.values.size, self.decay)

    def testing(self, solver):
        return self._present(solver, averaged=True)

    def training(self, solver):
        return self._present(solver, averaged=False)

    @contextmanager
    def _present(self, solver, *, averaged: bool) -> Iterator[None]:
        """Inside, the net's parameters are the average, or those that are trained."""
        others = self.values is not None and self.averaged != averaged
        if others:
            self._swap(solver)
        try:
            yield
        finally:
            if others:
                self._swap(solver)

    def _swap(self, solver) -> None:
        self.k.swap(solver.net.parameters.data, self.values, self.values.size)
        self.averaged = not self.averaged

    def weights(self, solver):
        if self.values is None:
            return {}
        with self.testing(solver):
            return {"_ema": solver.net.to_message()}

    def restore(self, solver, state, stored) -> None:
        path = snapshot.further_weights(stored, "_ema")
        self.values = None
        self.on_start(solver)
        if path is not None:
            with self.testing(solver):
                solver.net.load(path)
