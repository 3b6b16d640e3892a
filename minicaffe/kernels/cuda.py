"""The CUDA half: one translation unit per family, and the arguments of a launch.

Nothing here touches a GPU: `source` makes the text that CuPy's RawModule, NVRTC or the tests' emulator
compiles, and `Launch` turns a call into grid, block and argument bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from .registry import KernelSpec, family, geometries

BLOCK = 256  # threads per block
MAX_BLOCKS = 65535  # grid-stride loops cover the rest

COMMON = Path(__file__).with_name("common.cuh")


def source(module: ModuleType, dtype: np.dtype) -> str:
    """The CUDA C++ text of a family: types, common prefix, geometry structs, and its .cu file."""
    path = next(iter(family(module).values())).source
    real = {"f": "float", "d": "double"}[np.dtype(dtype).char]
    return "\n".join(
        [
            f"typedef {real} real;",
            f"#define BLOCK {BLOCK}",
            COMMON.read_text(),
            *map(struct, geometries(module)),
            f'#line 1 "{path.name}"',
            path.read_text(),
        ]
    )


def struct(cls: type) -> str:
    """The C declaration of a geometry."""
    return f"struct {cls.__name__} {{ int {', '.join(cls._fields)}; }};"


def signatures(text: str) -> dict[str, list[tuple[str, str]]]:
    """The kernels of a .cu text: name -> [(C type without const and restrict, parameter name), ...]."""
    found = {}
    for name, arguments in re.findall(r"\bKERNEL\s+(\w+)\s*\(([^)]*)\)", text):
        parameters = []
        for argument in arguments.split(","):
            words = re.sub(r"\b(const|__restrict__)\b", "", argument).replace("*", " * ").split()
            parameters.append(("".join(words[:-1]), words[-1]))
        found[name] = parameters
    return found


class Launch:
    """From a Python call to a launch: work size, grid, and arguments of the declared types."""

    def __init__(self, spec: KernelSpec, dtype: np.dtype, pointer: Callable) -> None:
        self.spec = spec
        self.convert = [self._converter(p.kind, dtype.type, pointer) for p in spec.parameters]

    @staticmethod
    def _converter(kind, real, pointer) -> Callable:
        if isinstance(kind, type) and issubclass(kind, np.generic):
            return pointer
        if kind is float:
            return real  # a Python float would travel as 8 bytes
        if kind is int:
            return np.int32
        return _struct_bytes

    def __call__(self, *args) -> tuple[int, list]:
        """Blocks of the grid (0: nothing to do), and the arguments with the work count appended."""
        n = int(self.spec.threads(*args))
        blocks = n if self.spec.per_block else -(-n // BLOCK)
        converted = [convert(arg) for convert, arg in zip(self.convert, args, strict=True)]
        return min(blocks, MAX_BLOCKS), [*converted, np.int32(n)]


def _struct_bytes(g: tuple) -> np.ndarray:
    """A geometry as a 0-d structured array, which CuPy passes by value."""
    return np.array(g, np.int32).view(np.dtype((np.void, 4 * len(g))))[0]
