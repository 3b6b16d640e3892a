"""Kernel declarations: one signature, two implementations.

`@kernel` turns a plain loop nest into a `KernelSpec`.  A device binds a whole family (a module of kernels):
the CPU compiles the loops with Numba, CUDA looks up the function of the same name in the `.cu` file beside
the module, and the tests run the loops as they stand, as the oracle of both.  Nothing compiles on import.

The contract both halves share:

    parameter in Python          in CUDA              meaning
    x                            real* x              array of the net's floating type, flat and contiguous
    mask: np.int32               int* mask            array of that NumPy type
    slope: float                 real slope           scalar of the net's floating type
    axis: int                    int axis             32-bit integer
    g: Pool2d                    Pool2d g             geometry: a NamedTuple of ints, a struct by value
                                 int n                appended: the number of threads (or blocks) of work

Arrays arrive one-dimensional in both halves; a loop that wants axes reshapes (free on the CPU) or computes
indices.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

POINTERS = {
    np.floating: "real*",
    np.float64: "double*",
    np.int32: "int*",
    np.uint32: "unsigned*",
    np.uint8: "unsigned char*",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: its name and what may be passed for it."""

    name: str
    # np.floating for a real array, another NumPy type for its array, float, int, or a geometry class
    kind: object

    @property
    def is_array(self) -> bool:
        return isinstance(self.kind, type) and issubclass(self.kind, np.generic)

    @property
    def c_type(self) -> str:
        """The type the CUDA half declares, without const."""
        if self.is_array:
            return POINTERS[self.kind]
        return {float: "real", int: "int"}.get(self.kind) or self.kind.__name__


@dataclass(frozen=True, eq=False)
class KernelSpec:
    """A kernel: the loops, the CUDA source beside them, and how much work one call is."""

    name: str
    python: Callable  # plain loops: compiled by Numba for the CPU, interpreted as the oracle
    threads: Callable[..., int]  # CUDA: work items of one call, from the same arguments
    per_block: bool  # CUDA: a work item is a block of threads (a row to reduce), not a thread
    parallel: bool  # CPU: compile with Numba's threads
    cpu: Callable | None  # device -> function of the same signature that the CPU uses instead of the loops
    cuda: Callable | None  # the same for a CUDA device, or None from it: the kernel of the .cu file will do
    source: Path
    parameters: tuple[Parameter, ...]


def kernel(
    threads: Callable[..., int] | None = None,
    *,
    blocks: Callable[..., int] | None = None,
    parallel: bool = True,
    cpu: Callable | None = None,
    cuda: Callable | None = None,
):
    """Declare a kernel; give `threads` (one CUDA thread per work item) or `blocks` (one block per item).

    `cpu`, if given, makes the CPU's own implementation from a device: a *composite* of several loops and
    register tiles that computes the same function faster.  `cuda` does so for a CUDA device (of launches and
    library calls), or returns None where the kernel of the .cu file is to be used.  Neither is called with an
    array without elements.
    """
    if (threads is None) == (blocks is None):
        raise TypeError("give threads= or blocks=, not both")

    def declare(function: Callable) -> KernelSpec:
        hints = typing.get_type_hints(function)
        parameters = tuple(
            Parameter(name, hints.get(name, np.floating)) for name in inspect.signature(function).parameters
        )
        source = Path(inspect.getsourcefile(function)).with_suffix(".cu")
        work = threads or blocks
        return KernelSpec(
            function.__name__, function, work, blocks is not None, parallel, cpu, cuda, source, parameters
        )

    return declare


def unless_empty(spec: KernelSpec, composite: Callable, loops: Callable) -> Callable:
    """`composite`, but `loops` for calls with an array without elements.  Composites cut work into tiles, and
    libraries know no empty arrays; the loops run over nothing but what there is to set."""
    arrays = [i for i, parameter in enumerate(spec.parameters) if parameter.is_array]

    def run(*args) -> None:
        (composite if all(args[i].size for i in arrays) else loops)(*args)

    return run


def family(module: ModuleType) -> dict[str, KernelSpec]:
    """The kernels a module declares, by name."""
    return {name: value for name, value in vars(module).items() if isinstance(value, KernelSpec)}


def geometry(cls: type) -> type:
    """Mark a NamedTuple of ints as kernel geometry: Numba sees a tuple, CUDA a struct by value."""
    cls.is_geometry = True
    return cls


def geometries(module: ModuleType) -> list[type]:
    """The geometry classes a module declares."""
    return [
        value
        for value in vars(module).values()
        if getattr(value, "is_geometry", False) and inspect.isclass(value)
    ]
