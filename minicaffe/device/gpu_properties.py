"""What the GPUs of this machine are, by CuPy's account."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ConfigError, DeviceError

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
    wanted = _numbers(which)
    runtime = _runtime(which)
    count = _count(runtime, which)
    for number in wanted or ():
        if number >= count:
            there = "only GPU 0 is there" if count == 1 else f"GPUs 0 to {count - 1} are there"
            raise DeviceError(f"--gpu {which}: there is no GPU {number}", hint=there)
    return [_properties(runtime, number) for number in (range(count) if wanted is None else wanted)]


def _numbers(which: str) -> list[int] | None:
    """None for all."""
    if which == "all":
        return None
    words = [word.strip() for word in which.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ConfigError(
            f"--gpu takes numbers of GPUs or 'all'; got {which!r}", hint="--gpu 0, --gpu 0,1 or --gpu all"
        )
    return [int(word) for word in words]


def _runtime(which: str):
    """CuPy's access to the CUDA runtime."""
    try:
        from cupy.cuda import runtime
    except ModuleNotFoundError:
        raise DeviceError(
            f"--gpu {which}: CuPy is not installed",
            hint="pip install minicaffe[cuda13], or minicaffe[cuda12] for an older driver",
        ) from None
    except ImportError as error:  # it is, but not the libraries that it needs
        raise DeviceError(
            f"--gpu {which}: CuPy cannot be imported: {_first_line(error)}",
            hint="install minicaffe[cuda13] or minicaffe[cuda12] anew",
        ) from None
    return runtime


def _count(runtime, which: str) -> int:
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise DeviceError(
            f"--gpu {which}: no GPU is found: {_first_line(error)}",
            hint="nvidia-smi says more about the driver",
        ) from None
    if count == 0:
        raise DeviceError(f"--gpu {which}: no GPU is found", hint="leave --gpu out to describe the CPU")
    return count


def _properties(runtime, number: int) -> GpuProperties:
    told = runtime.getDeviceProperties(number)
    have = {name: runtime.deviceGetAttribute(code, number) for name, code in ATTRIBUTES.items()}
    block, grid = (tuple(have.pop(f"{what}_{axis}") for axis in "xyz") for what in ("block", "grid"))
    for flag in ("overlaps_copies", "kernel_timeout"):
        have[flag] = bool(have[flag])
    name = told["name"].decode("utf-8", "replace")
    return GpuProperties(id=number, name=name, memory=told["totalGlobalMem"], block=block, grid=grid, **have)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
