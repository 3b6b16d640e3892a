"""minicaffe device_query: says what can run nets here."""

from __future__ import annotations

import os
import platform

import numba

from ..kernels.micro.machine import host
from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("device_query", "Say what can run nets here.")
    p.flag("gpu", default="", metavar="ID", help="ask for a GPU (this version has no GPU backend yet)")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.gpu:
        flags.device(_with_cpu(args))  # raises: there is no GPU backend
    machine = host()
    lines = [
        ("Device", "cpu"),
        ("Processor", f"{platform.machine()}, {machine.cpu} to LLVM"),
        (
            "Processors usable",
            str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        ),
        ("Threads used", str(numba.get_num_threads())),
        ("Vector width", f"{8 * machine.vector_bytes} bits, {machine.registers} registers"),
        ("Fused multiply-add", "yes" if machine.fma else "no"),
        ("Register tile", f"{machine.tile_rows} x {2 * machine.lanes(4)} (float32)"),
        ("GPU", "no GPU backend in this version"),
    ]
    for name, value in lines:
        print(f"{name + ':':28}{value}")
    return 0


def _with_cpu(args):
    args.cpu = False
    return args
