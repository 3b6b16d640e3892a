"""NVIDIA's libraries by ctypes: where they lie, and their functions as functions that raise.

CuPy cannot stand in here: its cuBLAS refuses to run while a stream is captured, and it has no cuDNN since 14.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from ..errors import DeviceError


class Wheels(NamedTuple):
    """What people call a library, and the wheels that hold it."""

    title: str
    cuda12: str
    cuda13: str


WHEELS = {
    "cublas": Wheels("cuBLAS", "nvidia-cublas-cu12", "nvidia-cublas"),
    "cudnn": Wheels("cuDNN", "'nvidia-cudnn-cu12>=9,<10'", "'nvidia-cudnn-cu13>=9,<10'"),
}


def find(name: str) -> ctypes.CDLL | None:
    """The library "cublas" or "cudnn", loaded; None where it is not installed.

    cuda-pathfinder, which comes with CuPy, looks through wheels, conda, the loader's path and CUDA_PATH.  As
    the versions of it that CuPy is content with do not all know cuDNN, wheels are looked through here too.
    """
    path = _by_pathfinder(name)
    if path is None:
        path = _in_wheels(name)
        if path is not None and name == "cudnn":
            _by_pathfinder("cublas")  # loads cuBLAS and cuBLASLt, which cuDNN then finds by name
    return None if path is None else ctypes.CDLL(path)


def _by_pathfinder(name: str) -> str | None:
    try:
        from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib
    except ImportError:
        return None
    try:
        return load_nvidia_dynamic_lib(name).abs_path
    except (DynamicLibNotFoundError, LookupError, ValueError):  # the last two: a name that it does not know
        return None


def _in_wheels(name: str) -> str | None:
    """In NVIDIA's wheels, which all lie in the namespace package `nvidia`."""
    spec = importlib.util.find_spec("nvidia")
    folders = (spec.submodule_search_locations if spec else None) or ()
    found = [path for folder in folders for path in Path(folder).glob(f"*/lib/lib{name}.so.*")]
    return str(found[0]) if found else None


def require(name: str) -> ctypes.CDLL:
    """The same, or DeviceError with what to install."""
    library = find(name)
    if library is None:
        raise DeviceError(f"{WHEELS[name].title} is not found", hint=install(name))
    return library


def install(name: str) -> str:
    """How to come by a library."""
    wheels = WHEELS[name]
    return f"pip install {wheels.cuda12}, or {wheels.cuda13} with CUDA 13"


def functions(
    name: str, library, prototypes: Mapping[str, Sequence], describe: Callable[[int], str]
) -> SimpleNamespace:
    """The functions of `prototypes` (name -> ctypes of the parameters), which all return a status: as
    functions that return nothing and raise DeviceError, with describe(status), where it is not 0.

    Raises DeviceError for a library that lacks one of them.
    """
    found = {}
    for symbol, parameters in prototypes.items():
        function = getattr(library, symbol, None)
        if function is None:
            raise DeviceError(f"{WHEELS[name].title} has no function {symbol}", hint=install(name))
        function.argtypes, function.restype = list(parameters), ctypes.c_int
        function.errcheck = functools.partial(_check, symbol, describe)
        found[symbol] = function
    return SimpleNamespace(**found)


def _check(symbol: str, describe: Callable[[int], str], status: int, function, args) -> None:
    if status:
        raise DeviceError(f"{symbol}: {describe(status)}")
