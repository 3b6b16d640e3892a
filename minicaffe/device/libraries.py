"""NVIDIA's libraries by ctypes: where they lie, and their functions as functions that raise.

CuPy cannot stand in here: its cuBLAS refuses to run while a stream is captured, and it has no cuDNN since 14.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from ..errors import DeviceError
from .faults import first_line


class Wheels(NamedTuple):
    """What people call a library, and the wheels that hold it."""

    title: str
    cuda12: str
    cuda13: str


WHEELS = {
    "cublas": Wheels("cuBLAS", "nvidia-cublas-cu12", "nvidia-cublas"),
    "cudnn": Wheels("cuDNN", "'nvidia-cudnn-cu12>=9,<10'", "'nvidia-cudnn-cu13>=9,<10'"),
}
CUDNN_PARTS = ("graph", "ops", "cnn")  # that convolutions need, each a library of its own


class StatusError(DeviceError):
    """What a function of a library returned, other than success: `status`."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotFound(DeviceError):
    """A library that is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{WHEELS[name].title} is not found", hint=install(name))


def find(name: str, cuda: int | None = None) -> ctypes.CDLL | None:
    """The library "cublas" or "cudnn", loaded; None where it is not installed.

    cuda    CUDA's major version that it must be made for, as arrays and streams are: CuPy's; None: any

    cuda-pathfinder, which comes with CuPy, looks through wheels, conda, the loader's path and CUDA_PATH.  As
    the versions of it that CuPy is content with do not all know cuDNN, and as wheels for two versions of CUDA
    may lie side by side, wheels are looked through here too.

    Raises DeviceError for a library that is there but broken, or made for another CUDA.
    """
    against: list[str] = []
    for path in _candidates(name, against):
        try:
            library = ctypes.CDLL(path)
            if name == "cudnn":
                _load_parts(path)
        except OSError as error:
            against.append(first_line(error))
            continue
        if cuda is None or (made := made_for(name, library)) == cuda:
            return library
        against.append(f"{path} is made for CUDA {made}, and CuPy for CUDA {cuda}")
    if against:
        raise DeviceError(f"{WHEELS[name].title} cannot be used: {', '.join(against)}", hint=install(name))
    return None


def made_for(name: str, library) -> int:
    """CUDA's major version that a library was made for."""
    function = getattr(library, f"{name}GetCudartVersion", None)
    if function is None:
        raise DeviceError(f"{WHEELS[name].title} does not say which CUDA it is for", hint=install(name))
    function.restype = ctypes.c_size_t
    return function() // 1000


def _candidates(name: str, against: list[str]) -> Iterator[str]:
    """Where it may lie; what goes wrong on the way is added to `against`."""
    found = _by_pathfinder(name, against)
    if found is not None:
        yield found
    for path in _in_wheels(name):
        if path == found:
            continue
        if name == "cudnn":
            _by_pathfinder("cublas", [])  # loads cuBLAS and cuBLASLt, which cuDNN then finds by name
        yield path


def _by_pathfinder(name: str, against: list[str]) -> str | None:
    try:
        from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib
    except ImportError:
        return None
    try:
        return load_nvidia_dynamic_lib(name).abs_path
    except (DynamicLibNotFoundError, LookupError, ValueError):  # the last two: a name that it does not know
        return None
    except (RuntimeError, OSError) as error:  # it is there and cannot be loaded, or looking for it failed
        against.append(first_line(error))
        return None


def _in_wheels(name: str) -> list[str]:
    """In NVIDIA's wheels, which all lie in the namespace package `nvidia`."""
    spec = importlib.util.find_spec("nvidia")
    folders = (spec.submodule_search_locations if spec else None) or ()
    return sorted(str(path) for folder in folders for path in Path(folder).glob(f"*/lib/lib{name}.so.*"))


def _load_parts(path: str) -> None:
    """The libraries that cuDNN loads itself when it is first used.  It ends the process where one of them
    cannot be loaded; here that is an OSError."""
    file = Path(path)
    for part in CUDNN_PARTS:
        beside = file.with_name(file.name.replace("libcudnn.", f"libcudnn_{part}."))
        ctypes.CDLL(str(beside) if beside.is_file() else beside.name)


def describe(name: str, cuda: int) -> str:
    """Where a library lies, or why there is none; for people."""
    try:
        library = find(name, cuda)
        return str(NotFound(name)) if library is None else library._name
    except DeviceError as error:
        return str(error)


def require(name: str) -> ctypes.CDLL:
    """The same, or DeviceError with what to install."""
    library = find(name)
    if library is None:
        raise NotFound(name)
    return library


def install(name: str) -> str:
    """How to come by a library."""
    wheels = WHEELS[name]
    return f"pip install {wheels.cuda12}, or {wheels.cuda13} with CUDA 13"


def functions(
    name: str, library, prototypes: Mapping[str, Sequence], describe: Callable[[int], str]
) -> SimpleNamespace:
    """The functions of `prototypes` (name -> ctypes of the parameters), which all return a status: as
    functions that return nothing and raise StatusError, with describe(status), where it is not 0.

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
        raise StatusError(f"{symbol}: {describe(status)}", status)
