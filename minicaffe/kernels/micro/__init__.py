"""Micro-kernels: the innermost register work of the CPU, written as LLVM IR from Python.

No compiler vectorises a register tile well from plain loops, so the few innermost pieces are spelled out as
vector instructions and handed to LLVM (llvmlite, which Numba brings along).  Building one takes about 10 ms.

    machine     what the processor offers: vector width, registers, fused multiply-add
    builder     writing a function in vector IR, compiling it, calling it from compiled loops by address
    tile        C += A B on a block of registers: the heart of every matrix product and convolution
    transpose   a square block turned in registers
    dealing     loops dealt to threads: how a parallel kernel's parts are run

A micro-kernel takes 64-bit integers only: addresses (of arrays or elements) and counts.  It trusts its caller
completely; `kernels/tiled` holds the callers.
"""
