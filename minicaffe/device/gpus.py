"""Whether there is a GPU to run on; the one place that imports CuPy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ..errors import DeviceError
from .faults import first_line

OLDEST_DRIVER = {12: "525", 13: "580"}  # what CUDA 12 and 13 need, on Linux


def import_cupy(asked: str) -> ModuleType:
    """CuPy, with at least one GPU that it can use.

    asked  what wanted a GPU ("--gpu 0"), for the errors: CuPy is missing or broken, there is no driver or one
           that is too old for this CuPy, there is no GPU
    """
    try:
        import cupy
    except ModuleNotFoundError:
        raise DeviceError(
            f"{asked}: CuPy is not installed",
            hint="pip install 'minicaffe[cuda13]', or 'minicaffe[cuda12]' for a driver older than 580",
        ) from None
    except ImportError as error:  # it is, but not the libraries that it needs
        raise DeviceError(
            f"{asked}: CuPy cannot be imported: {first_line(error)}",
            hint="pip install --force-reinstall 'minicaffe[cuda13]', or 'minicaffe[cuda12]'",
        ) from None
    count_gpus(cupy, asked)
    return cupy


def count_gpus(cupy: ModuleType, asked: str) -> int:
    """How many GPUs CuPy sees; DeviceError if none, and why."""
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise _without_gpu(runtime, asked, error) from None
    if count == 0:
        raise DeviceError(f"{asked}: no GPU is found", hint="run on the CPU: leave --gpu out, or add --cpu")
    return count


def check_number(number: int, count: int, asked: str) -> None:
    """DeviceError for a number that none of `count` GPUs has."""
    if not 0 <= number < count:
        there = "only GPU 0 is there" if count == 1 else f"GPUs 0 to {count - 1} are there"
        raise DeviceError(f"{asked}: there is no GPU {number}", hint=there)


@contextmanager
def or_cpu() -> Iterator[None]:
    """Add to the hint of a DeviceError that passes through that --cpu is the other remedy."""
    try:
        yield
    except DeviceError as error:
        if "--cpu" not in error.hint:
            error.hint = f"{error.hint}; --cpu runs it on the CPU"
        raise


def _without_gpu(runtime, asked: str, error: Exception) -> DeviceError:
    """What is wrong with the driver: both versions are as CUDA counts them, 1000 * major + 10 * minor."""
    driver, needed = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        return DeviceError(
            f"{asked}: there is no NVIDIA driver on this machine",
            hint="install it (nvidia-smi then lists the GPUs)",
        )
    if driver // 1000 < needed // 1000:
        oldest = OLDEST_DRIVER.get(needed // 1000, "a newer one")
        return DeviceError(
            f"{asked}: the driver is for CUDA {_spell(driver)}, too old for this CuPy, made for CUDA"
            f" {_spell(needed)}",
            hint=f"update the driver (to {oldest} or later), or pip install 'minicaffe[cuda{driver // 1000}]'"
            " after removing this CuPy",
        )
    return DeviceError(
        f"{asked}: no GPU is found: {first_line(error)}", hint="nvidia-smi says more about the driver"
    )


def _spell(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
