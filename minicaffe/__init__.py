"""minicaffe: a Caffe-compatible deep-learning engine.

    from minicaffe import Net, Solver

    solver = Solver.create("prototxt/digits/solver.prototxt")
    solver.solve()

Public names are imported on first use, so that `import minicaffe` costs milliseconds and touches no compiler
and no GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .importing import load

if TYPE_CHECKING:
    from .device.cpu import CpuDevice
    from .device.cuda import CudaDevice
    from .errors import MiniCaffeError
    from .net import Net
    from .solvers.solver import Solver

__version__ = "0.1.0"

_NAMES = {
    "Net": "net",
    "CpuDevice": "device.cpu",
    "CudaDevice": "device.cuda",
    "MiniCaffeError": "errors",
    "Solver": "solvers.solver",
}

__all__ = ["CpuDevice", "CudaDevice", "MiniCaffeError", "Net", "Solver", "__version__"]


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(load(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
