"""What is measured, on what, and how thoroughly."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from minicaffe.device.base import Device
from minicaffe.device.cuda import CudaDevice


class Effort(NamedTuple):
    """How thoroughly.

    repeats  measurements of everything
    graph_s  GPU time that one of them should take at least, by `copies` of its subject in a graph at most
    calls    from Python, one after another, make one measurement of their cost
    nbytes   of a large copy
    edge     of a large square product
    rounds   turns of contenders, each of block_s seconds
    """

    repeats: int
    graph_s: float
    copies: int
    calls: int
    nbytes: int
    edge: int
    rounds: int
    block_s: float


FULL = Effort(20, 5e-4, 100, 400, 1 << 30, 4096, 10, 0.15)
QUICK = Effort(2, 0.0, 2, 3, 1 << 12, 16, 2, 0.0)


@dataclass(frozen=True)
class Setting:
    """Of a whole run; a dictionary of it travels to the processes that measure.

    device   "cuda", or "emulated": the tests' GPU on the processor, to see that everything runs
    quick    few repetitions of small things
    nets, engines, maths   names; engines: CAFFE, CUDNN; maths: FP32, TF32
    """

    device: str = "cuda"
    quick: bool = False
    nets: tuple[str, ...] = ("lenet", "cifar10_quick", "alexnet", "googlenet")
    engines: tuple[str, ...] = ("CAFFE", "CUDNN")
    maths: tuple[str, ...] = ("FP32", "TF32")

    @property
    def effort(self) -> Effort:
        return QUICK if self.quick else FULL

    @property
    def with_torch(self) -> bool:
        return importlib.util.find_spec("torch") is not None

    def new_device(self, math: str = "FP32") -> Device:
        """DeviceError where there is no GPU."""
        if self.device == "emulated":
            from tests.support.emulator import EmulatedCuda

            return EmulatedCuda(np.float32, math=math)
        return CudaDevice(np.float32, math=math)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
