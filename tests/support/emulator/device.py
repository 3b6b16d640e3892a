"""EmulatedCuda: the CUDA device as it is, over an emulated CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicaffe.device.cuda import CudaDevice

from .cupy import EmulatedCupy


class EmulatedCuda(CudaDevice):
    """A GPU on the processor.

    number     which GPU, of `cupy` if that is given
    arch       compute capability times ten
    lazy       streams execute only when somebody waits for them
    orders     2: every launch runs in two orders of threads, which must agree; 1: in one, for long runs
    races      True: a block that touches what another one writes is a fault
    libraries  what stands for cuBLAS and cuDNN, by name; none by default: the project's own kernels
    """

    name = "cuda-emulated"

    def __init__(
        self,
        dtype=np.float32,
        *,
        number: int = 0,
        cupy: EmulatedCupy | None = None,
        arch: int = 80,
        math: str = "FAST",
        lazy: bool = False,
        orders: int = 2,
        races: bool = False,
        libraries: dict[str, Any] | None = None,
    ) -> None:
        self.found = libraries or {}
        cupy = cupy or EmulatedCupy(arch, lazy=lazy, orders=orders, races=races)
        super().__init__(dtype, number=number, math=math, libraries=bool(self.found), cupy=cupy)

    def find_library(self, name):
        return self.found.get(name)
