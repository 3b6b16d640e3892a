"""A CUDA device without a GPU: kernels are compiled by g++ and run, thread by thread, on the processor.

It is there to find faults.  A launch that a GPU would let pass, or get wrong only now and then, fails here
and names the kernel, the block and the thread: an access outside an array, a missing barrier, threads that
meet in different barriers or warp operations, an argument of the wrong size, a copy not waited for.

    device        EmulatedCuda, a Device: what layers and laws run on
    array         device memory, which the host cannot touch by accident
    capture       graphs, whose nodes run in every order that their dependencies allow
    module        EmuModule: CUDA source in, kernels out; looks like cupy.RawModule
    build         g++ and its cache
    runtime/      C++: fibers, scheduling, guarded memory, faults
    cuda/         C++: what a kernel sees (threadIdx, __syncthreads, shuffles, atomics, mma ...)

Races between blocks are watched for where a device is made with races=True, which costs time.

It does not see speed, bank conflicts, or coalescing.
"""

from __future__ import annotations

import platform
import shutil
import sys

from .device import EmulatedCuda

__all__ = ["EmulatedCuda", "available"]


def available() -> bool:
    """True if kernels can be built and run here: Linux on x86-64 or aarch64, with g++."""
    return (
        sys.platform == "linux"
        and platform.machine() in ("x86_64", "aarch64")
        and shutil.which("g++") is not None
    )
