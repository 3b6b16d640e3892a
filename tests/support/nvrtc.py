"""NVRTC, NVIDIA's compiler as a library: needs neither a GPU nor a driver, only two wheels.

pip install nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12        (the extra cuda-compile)
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What a compiled kernel needs per thread (registers) and per block (shared memory), and what it spills:
    bytes that did not fit the registers and go through memory."""

    registers: int
    shared_bytes: int
    spill_bytes: int


class CompileError(Exception):
    """NVRTC refused the source; the message is its log."""


def available() -> bool:
    return _folder("cuda_nvrtc") is not None and _folder("cuda_runtime") is not None


def _folder(wheel: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(f"nvidia.{wheel}")
    except ModuleNotFoundError:
        return None
    return Path(next(iter(spec.submodule_search_locations))) if spec else None


@functools.cache
def _library() -> ctypes.CDLL:
    (path,) = (_folder("cuda_nvrtc") / "lib").glob("libnvrtc.so.*")
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def _check(status: int) -> None:
    if status:
        raise RuntimeError(_library().nvrtcGetErrorString(status).decode())


def compile(text: str, arch: str, names: Sequence[str] = ()) -> dict[str, Usage]:
    """Compile CUDA C++ to machine code for an architecture ("sm_80"): kernel -> what it needs.

    `names` are template instances to compile beside the kernels that are none, "kernel<float, 3>".

    Raises CompileError.
    """
    lib, program = _library(), ctypes.c_void_p()
    _check(lib.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None))
    try:
        for name in names:
            _check(lib.nvrtcAddNameExpression(program, name.encode()))
        include = _folder("cuda_runtime") / "include"
        flags = [f"-arch={arch}", "--std=c++17", "--ptxas-options=-v", f"-I{include}"]
        array = (ctypes.c_char_p * len(flags))(*map(str.encode, flags))
        status = lib.nvrtcCompileProgram(program, len(flags), array)
        size = ctypes.c_size_t()
        _check(lib.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
        log = ctypes.create_string_buffer(size.value)
        _check(lib.nvrtcGetProgramLog(program, log))
        if status:
            raise CompileError(f"{lib.nvrtcGetErrorString(status).decode()}:\n{log.value.decode()}")
        instances = {_lowered(program, name): name for name in names}
        return {instances.get(name, name): usage for name, usage in _usage(log.value.decode()).items()}
    finally:
        lib.nvrtcDestroyProgram(ctypes.byref(program))


def _lowered(program: ctypes.c_void_p, name: str) -> str:
    """What a template instance is called in the machine code."""
    found = ctypes.c_char_p()
    _check(_library().nvrtcGetLoweredName(program, name.encode(), ctypes.byref(found)))
    return found.value.decode()


def _usage(log: str) -> dict[str, Usage]:
    """From the report of the assembler: a section per kernel."""
    found = {}
    for section in re.split(r"Compiling entry function ", log)[1:]:
        name = re.match(r"'(\w+)'", section)[1]
        spilled = sum(map(int, re.findall(r"(\d+) bytes spill (?:stores|loads)", section)))
        shared = re.search(r"(\d+) bytes smem", section)
        registers = int(re.search(r"Used (\d+) registers", section)[1])
        found[name] = Usage(registers, int(shared[1]) if shared else 0, spilled)
    return found
