"""This package's own side of a contest: a net in this process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np

from ..device.base import Device
from ..net import Net
from .subject import Subject
from .turns import Ran


class Ours:
    """A subject on a device.

    net      what is run; of a subject that trains its solver's
    outputs  of the first pass, by name; of one that trains its loss, under ""
    """

    def __init__(self, name: str, subject: Subject, device: Device) -> None:
        self.name, self.device = name, device
        self.step: Callable[[], object]
        if subject.trains:
            solver = subject.solver(device)
            self.net: Net = solver.net
            self.step = lambda: solver.step(1)
        else:
            self.net = subject.net(device)
            self.step = self._infer
        self.stochastic = any(layer.random is not None for layer in self.net.layers)
        found = self.net.forward()
        self.outputs = {"": np.float64(self.net.loss())} if subject.trains else found

    def _infer(self) -> None:
        self.net.stage()
        self.net.replay_forward()
        for name in self.net.outputs:
            self.device.get(self.net.blobs[name].data)

    def run(self, wake: int, count: int) -> Ran:
        own, mark = time.process_time(), self.device.clock()
        for _ in range(wake):
            self.step()
        marks = [mark()]
        for _ in range(count):
            self.step()
            marks.append(mark())
        seconds = [self.device.seconds(*pair) for pair in itertools.pairwise(marks)]  # a GPU waits here
        return Ran(seconds, time.process_time() - own)
