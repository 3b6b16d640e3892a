"""NVRTC, NVIDIA's compiler as a library: needs neither a GPU nor a driver, only two wheels.

pip install nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12        (the extra cuda-compile)
pip install nvidia-cuda-nvrtc nvidia-cuda-runtime                  (CUDA 13; both may be installed)

The options are those that CuPy 14 compiles a RawModule with.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What a compiled kernel needs per thread (registers) and per block (shared memory), and what it spills:
    bytes that did not fit the registers and go through memory."""

    registers: int
    shared_bytes: int
    spill_bytes: int


class Compiled(NamedTuple):
    """Machine code: what its kernels need, the code itself, and the name of each kernel in it."""

    kernels: dict[str, Usage]
    cubin: bytes
    symbols: dict[str, str]


class CompileError(Exception):
    """NVRTC refused the source; the message is its log."""


WHEELS = {12: ("cuda_nvrtc", "cuda_runtime"), 13: ("cu13", "cu13")}  # where compiler and headers lie


def versions() -> list[int]:
    """Major versions of CUDA whose compiler and headers are installed."""
    return [major for major in WHEELS if _library_path(major) and _include(major)]


def available() -> bool:
    return bool(versions())


def _folder(wheel: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(f"nvidia.{wheel}")
    except ModuleNotFoundError:
        return None
    return Path(next(iter(spec.submodule_search_locations))) if spec else None


def _library_path(major: int) -> Path | None:
    folder = _folder(WHEELS[major][0])
    return next(iter((folder / "lib").glob("libnvrtc.so.*")), None) if folder else None


def _include(major: int) -> Path | None:
    folder = _folder(WHEELS[major][1])
    return folder / "include" if folder and (folder / "include" / "cuda_runtime.h").is_file() else None


@functools.cache
def _library(major: int) -> ctypes.CDLL:
    library = ctypes.CDLL(str(_library_path(major)))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def compile(text: str, arch: str, names: Sequence[str] = (), version: int | None = None) -> Compiled:
    """Compile CUDA C++ to machine code for an architecture ("sm_80").

    `names` are template instances to compile beside the kernels that are none, "kernel<float, 3>"; `version`
    is CUDA's, the first that is installed by default.

    Raises CompileError.
    """
    version = version or versions()[0]
    lib, program = _library(version), ctypes.c_void_p()

    def check(status: int) -> None:
        if status:
            raise RuntimeError(lib.nvrtcGetErrorString(status).decode())

    def fetch(what: str) -> bytes:
        size = ctypes.c_size_t()
        check(getattr(lib, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        data = ctypes.create_string_buffer(size.value)
        check(getattr(lib, f"nvrtcGet{what}")(program, data))
        return data.raw

    def lowered(name: str) -> str:
        found = ctypes.c_char_p()
        check(lib.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(found)))
        return found.value.decode()

    check(lib.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None))
    try:
        for name in names:
            check(lib.nvrtcAddNameExpression(program, name.encode()))
        flags = ["--std=c++17", f"-I{_include(version)}", "-ftz=true", f"-arch={arch}"]
        flags += ["--device-as-default-execution-space", "--ptxas-options=-v"]
        array = (ctypes.c_char_p * len(flags))(*map(str.encode, flags))
        status = lib.nvrtcCompileProgram(program, len(flags), array)
        log = fetch("ProgramLog").rstrip(b"\0").decode()
        if status:
            raise CompileError(f"{lib.nvrtcGetErrorString(status).decode()}:\n{log}")
        instances = {lowered(name): name for name in names}
        usage = {instances.get(symbol, symbol): used for symbol, used in _usage(log).items()}
        symbols = {instances.get(symbol, symbol): symbol for symbol in _usage(log)}
        return Compiled(usage, fetch("CUBIN"), symbols)
    finally:
        lib.nvrtcDestroyProgram(ctypes.byref(program))


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


# -- nvdisasm: pip install nvidia-cuda-nvdisasm (the extra cuda-compile)


def disassembler() -> str | None:
    """The program, from a wheel or the path; None where it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or ()]
    wheels = (found for folder in folders for found in folder.glob("*/bin/nvdisasm"))
    return next(map(str, wheels), None) or shutil.which("nvdisasm")


class Loop(NamedTuple):
    """One turn of a loop: instructions, and how many of them are products of tensor cores.  A loop inside it
    is taken to turn twice."""

    instructions: int
    products: int


def main_loops(compiled: Compiled) -> dict[str, Loop]:
    """Of the kernels that have one, the loop over products of tensor cores."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.cubin)
        file.flush()
        done = subprocess.run([disassembler(), "-c", file.name], capture_output=True, text=True, check=True)
    sections = dict(re.findall(r"^\.text\.(\w+):\n(.*?)(?=^//-|\Z)", done.stdout, re.MULTILINE | re.DOTALL))
    found = {name: _loops(sections[symbol]) for name, symbol in compiled.symbols.items()}
    return {
        name: Loop(*(sum(turn[i] for turn in loops) for i in range(2)))
        for name, loops in found.items()
        if loops
    }


def _loops(section: str) -> list[Loop]:
    """The loops over products, those inside others too: whatever a branch goes back over."""
    labels: dict[str, int] = {}
    code: list[str] = []
    found = []
    for line in section.splitlines():
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = len(code)
        elif instruction := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(.+?)\s*;", line):
            code.append(instruction[1])
            target = re.search(r"\bBRA\b.*?(\.L\w+)", instruction[1])
            if target and target[1] in labels:
                turn = code[labels[target[1]] :]
                found.append(Loop(len(turn), sum("HMMA" in one for one in turn)))
    return [loop for loop in found if loop.products]
