"""What the GPUs of this machine are, by CuPy's account."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ConfigError
from . import libraries
from .gpus import check_number, count_gpus, import_cupy

# Numbers of CUDA's cudaDeviceAttr: they stay, while cudaDeviceProp lost fields (clockRate) with CUDA 13.
ATTRIBUTES = {
    "threads_per_block": 1,
    "block_x": 2,
    "block_y": 3,
    "block_z": 4,
    "grid_x": 5,
    "grid_y": 6,
    "grid_z": 7,
    "shared_memory_per_block": 8,
    "constant_memory": 9,
    "warp_size": 10,
    "memory_pitch": 11,
    "registers_per_block": 12,
    "clock_rate": 13,
    "texture_alignment": 14,
    "overlaps_copies": 15,
    "multiprocessors": 16,
    "kernel_timeout": 17,
    "major": 75,
    "minor": 76,
}


class GpuProperties(NamedTuple):
    """One GPU: memory in bytes, clock rate in kHz; block and grid are the largest extents (x, y, z)."""

    id: int
    major: int
    minor: int
    name: str
    memory: int
    shared_memory_per_block: int
    registers_per_block: int
    warp_size: int
    memory_pitch: int
    threads_per_block: int
    block: tuple[int, int, int]
    grid: tuple[int, int, int]
    clock_rate: int
    constant_memory: int
    texture_alignment: int
    overlaps_copies: bool
    multiprocessors: int
    kernel_timeout: bool


def query(which: str) -> list[GpuProperties]:
    """The GPUs that Caffe's flag names: "all", or numbers with commas between them ("0", "0,1").

    Raises ConfigError for anything else, DeviceError without CuPy, without a GPU, or for a number that no GPU
    has.
    """
    wanted = numbers(which)
    asked = f"--gpu {which}"
    cupy = import_cupy(asked)
    count = count_gpus(cupy, asked)
    for number in wanted or ():
        check_number(number, count, asked)
    every = range(count) if wanted is None else wanted
    return [_properties(cupy.cuda.runtime, number) for number in every]


def libraries_found(which: str) -> dict[str, str]:
    """cuBLAS and cuDNN, by title: where CuPy's GPUs take them from, or why they do without.

    Raises DeviceError as `query` does.
    """
    runtime = import_cupy(f"--gpu {which}").cuda.runtime
    cuda = runtime.runtimeGetVersion() // 1000
    return {wheels.title: libraries.describe(name, cuda) for name, wheels in libraries.WHEELS.items()}


def numbers(which: str) -> list[int] | None:
    """The numbers in Caffe's flag --gpu; None for all."""
    if which == "all":
        return None
    words = [word.strip() for word in which.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ConfigError(
            f"--gpu takes numbers of GPUs or 'all'; got {which!r}", hint="--gpu 0, --gpu 0,1 or --gpu all"
        )
    return [int(word) for word in words]


def _properties(runtime, number: int) -> GpuProperties:
    told = runtime.getDeviceProperties(number)
    have = {name: runtime.deviceGetAttribute(code, number) for name, code in ATTRIBUTES.items()}
    block, grid = (tuple(have.pop(f"{what}_{axis}") for axis in "xyz") for what in ("block", "grid"))
    for flag in ("overlaps_copies", "kernel_timeout"):
        have[flag] = bool(have[flag])
    name = told["name"].decode("utf-8", "replace")
    return GpuProperties(id=number, name=name, memory=told["totalGlobalMem"], block=block, grid=grid, **have)
