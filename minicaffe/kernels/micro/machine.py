"""What the processor offers to a micro-kernel."""

from __future__ import annotations

import functools
from typing import NamedTuple

import llvmlite.binding as llvm


class Machine(NamedTuple):
    """A processor as the micro-kernels see it."""

    cpu: str  # LLVM's name for it
    features: str  # LLVM feature string, "+avx2,-avx512f,..."
    vector_bytes: int  # width of a vector register
    registers: int  # how many there are
    fma: bool  # fused multiply-add in one instruction

    def lanes(self, itemsize: int) -> int:
        """Elements in a vector register."""
        return self.vector_bytes // itemsize

    @property
    def tile_rows(self) -> int:
        """Most rows of a register tile two vectors wide: accumulators, two operands and a broadcast must
        fit."""
        return (self.registers - 4) // 2


@functools.cache
def host() -> Machine:
    """The processor we run on."""
    return describe(llvm.get_host_cpu_name(), llvm.get_host_cpu_features())


def describe(cpu: str, features) -> Machine:
    """A Machine from LLVM's feature map; wider units are used where present, 128-bit vectors elsewhere."""
    if features.get("avx512f"):
        width, registers = 64, 32
    elif features.get("avx2"):
        width, registers = 32, 16
    else:
        width, registers = 16, 32 if features.get("neon") else 16
    fma = bool(features.get("fma") or features.get("neon"))
    return Machine(cpu, features.flatten(), width, registers, fma)


def without(machine: Machine, *names: str) -> Machine:
    """The same processor with features hidden (for tests of the narrower code): `without(host(),
    "avx512f")`."""
    features = llvm.FeatureMap()
    for item in machine.features.split(","):
        features[item[1:]] = item[0] == "+" and not any(item[1:].startswith(name) for name in names)
    return describe(machine.cpu, features)
