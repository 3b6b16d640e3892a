"""The devices that every law holds on: both kernel halves, and the oracle."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from minicaffe.device.base import Device
from minicaffe.device.cpu import CpuDevice
from minicaffe.device.cuda import CudaDevice
from minicaffe.device.feed import Array
from minicaffe.errors import DeviceError

from . import emulator

# A real GPU, with NVIDIA's libraries and with the project's kernels alone: run by -m gpu.
GPU = [pytest.param(name, marks=pytest.mark.gpu) for name in ("cuda", "cuda-own")]
CUDA = ["cuda-emulated", *GPU]
NAMES = ["cpu", "plain", "python", *CUDA]

# To run a test on each of them in float64, the precision of gradient checks.
each_device = pytest.mark.parametrize("device", NAMES, indirect=True)


@functools.cache
def make_device(name: str, dtype: type = np.float64) -> Device:
    """cpu: composites, as users run them; plain: the kernels' own loops, compiled; python: the same,
    interpreted; cuda-emulated: the .cu sources on the CPU; cuda-racing: the same, its blocks watched for
    races; cuda, cuda-own: on a GPU."""
    if name == "cpu":
        return CpuDevice(dtype)
    if name in ("plain", "python"):
        return CpuDevice(dtype, kernels=name)
    if name in ("cuda", "cuda-own"):
        try:
            return CudaDevice(dtype, libraries=name == "cuda")
        except DeviceError as error:
            pytest.skip(str(error))
    if not emulator.available():
        pytest.skip("the CUDA emulator needs g++")
    return emulator.EmulatedCuda(dtype, races=name == "cuda-racing", orders=1 if name == "cuda-racing" else 2)


def hand_over(feed, host, array) -> None:
    """What Device.put does, by way of a feed."""
    feed.begin()
    feed.put(host, Array(array))
    feed.send()
    feed.deliver()
    feed.delivered()
