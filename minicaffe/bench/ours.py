"""This package's own side of a contest: a net in this process."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import numpy as np

from ..device.base import Device
from ..net import Net
from .subject import Subject
from .turns import Steps


class Ours(Steps):
    """A subject on a device.

    passes   that optimize its program; None: all

    net      what is run; of a subject that trains its solver's
    outputs  of the first pass, by name; of one that trains its loss, under ""
    """

    def __init__(
        self, name: str, subject: Subject, device: Device, passes: Collection[str] | None = None
    ) -> None:
        self.device = device
        solver = subject.solver(device, passes) if subject.trains else None
        self.net: Net = solver.net if solver else subject.net(device, passes)
        super().__init__(name, partial(solver.step, 1) if solver else self._infer, device)
        self.stochastic = any(layer.random is not None for layer in self.net.layers)
        found = self.net.forward()
        self.outputs = {"": np.float64(self.net.loss())} if subject.trains else found

    def _infer(self) -> None:
        self.net.next_forward()
        for name in self.net.outputs:
            self.device.get(self.net.blobs[name].data)
