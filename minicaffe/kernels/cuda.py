"""The CUDA half: one translation unit per family, and the arguments of a launch.

Nothing here touches a GPU: `source` makes the text that CuPy's RawModule, NVRTC or the tests' emulator
compiles, and `Launch` turns a call into grid, block and argument bytes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import ShapeError
from .registry import KernelSpec, Parameter, family, geometries

BLOCK = 256  # threads per block
MAX_BLOCKS = 4096  # some waves of all multiprocessors; grid-stride loops cover the rest

INT_MAX = 2**31 - 1  # kernels count in int
TOO_MANY = "make the batch or the layer smaller, or run on the CPU: --cpu"

COMMON = Path(__file__).with_name("common.cuh")


def source(module: ModuleType, dtype: np.dtype) -> str:
    """The CUDA C++ text of a family: types, common prefix, geometry structs, and its .cu file."""
    path = next(iter(family(module).values())).source
    real = {"f": "float", "d": "double"}[np.dtype(dtype).char]
    return "\n".join(
        [
            f"typedef {real} real;",
            f"#define BLOCK {BLOCK}",
            *map(struct, geometries(module)),
            f'#line 1 "{COMMON.name}"',
            COMMON.read_text(),
            f'#line 1 "{path.name}"',
            re.sub(r'^#include "(.+)"$', _included, path.read_text(), flags=re.MULTILINE),
        ]
    )


def _included(line: re.Match) -> str:
    """A file that an #include line of a .cu names: its text.  Caches look at one text alone."""
    return COMMON.with_name(line[1]).read_text()


def struct(cls: type) -> str:
    """The C declaration of a geometry."""
    return f"struct {cls.__name__} {{ int {', '.join(cls._fields)}; }};"


def signatures(text: str) -> dict[str, list[tuple[str, str]]]:
    """The kernels of a .cu text: name -> [(C type without const and restrict, parameter name), ...]."""
    found = {}
    for name, arguments in re.findall(r"^KERNEL\s+(\w+)\s*\(([^)]*)\)", text, re.MULTILINE):
        parameters = []
        for argument in arguments.split(","):
            words = re.sub(r"\b(const|__restrict__)\b", "", argument).replace("*", " * ").split()
            parameters.append((" ".join(words[:-1]).replace(" *", "*"), words[-1]))
        found[name] = parameters
    return found


class Launch:
    """From a Python call to a launch: work size, grid, and arguments of the declared types.

    `pointer` turns an array into what the backend passes for it.
    """

    def __init__(self, spec: KernelSpec, dtype: np.dtype, pointer: Callable) -> None:
        self.spec = spec
        self.convert = [_converter(spec, p, np.dtype(dtype), pointer) for p in spec.parameters]

    def __call__(self, *args) -> tuple[int, list]:
        """Blocks of the grid (0: nothing to do), and the arguments with the work count appended."""
        n = int(self.spec.threads(*args))
        blocks = n if self.spec.per_block else -(-n // BLOCK)
        try:
            converted = [convert(arg) for convert, arg in zip(self.convert, args, strict=True)]
            return min(blocks, MAX_BLOCKS), [*converted, np.int32(n)]
        except OverflowError:
            largest = max(n, *(arg for arg in args if isinstance(arg, int)))
            raise ShapeError(
                f"{self.spec.name}: a count of {largest}; kernels on a GPU count to {INT_MAX}", hint=TOO_MANY
            ) from None


def _converter(spec: KernelSpec, parameter: Parameter, real: np.dtype, pointer: Callable) -> Callable:
    """What makes the argument for a parameter."""
    if parameter.kind is float:
        return real.type  # a Python float would travel as 8 bytes
    if parameter.kind is int:
        return np.int32
    if not parameter.is_array:
        return packed
    wanted = real if parameter.kind is np.floating else np.dtype(parameter.kind)

    def array(value):
        if value.dtype != wanted:  # the kernel would take the bits as they are
            raise TypeError(f"{spec.name}: {parameter.name} must be {wanted}; got {value.dtype}")
        return pointer(value)

    return array


@functools.lru_cache(maxsize=1024)
def packed(g: tuple) -> np.ndarray:
    """A geometry as one element of so many bytes: an array of size 1 is what CuPy passes by value.

    Raises ShapeError for a number that int does not hold.
    """
    if max(g) > INT_MAX:
        raise ShapeError(
            f"{type(g).__name__}: a count of {max(g)}; kernels on a GPU count to {INT_MAX}", hint=TOO_MANY
        )
    return np.array(g, np.int32).view(np.dtype((np.void, 4 * len(g))))
