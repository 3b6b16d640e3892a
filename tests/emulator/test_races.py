"""Races between blocks: a block touches what another one writes in the same launch."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from ..support.emulator.module import ORDERS, EmuModule, KernelError

# Each row is a kernel that runs on two blocks of 64 threads: its body, and what the message must say if there
# is a race.  Values are the same whatever the order of blocks is: only the access itself shows.
#
# `LAST` is how a block finds out that it is the last to arrive; it may then read what the others wrote.
LAST = """__shared__ bool last; y[i] = x[i]; {barrier} if (t == 0) {{
  {release} last = atomicAdd(count, 1) == 1; {acquire} }} __syncthreads(); if (last) y[i] = 0 * y[127 - i];"""
FENCE, BARRIER = "__threadfence();", "__syncthreads();"
UNORDERED = r"reads y\[\d+\], which another block writes"

BODIES = {
    "own": ("y[i] = x[i] + y[i];", None),
    "shared_reads": ("y[i] = x[0] + x[127];", None),
    "atomic": ("atomicAdd(count, 1); y[i] = x[i];", None),
    "alone": ("if (blockIdx.x == 0) y[127] = y[0];", None),
    "last": (LAST.format(barrier=BARRIER, release=FENCE, acquire=FENCE), None),
    "last_without_release": (LAST.format(barrier=BARRIER, release="", acquire=FENCE), UNORDERED),
    "last_without_acquire": (LAST.format(barrier=BARRIER, release=FENCE, acquire=""), UNORDERED),
    "last_without_barrier": (LAST.format(barrier="", release=FENCE, acquire=FENCE), UNORDERED),
    "first": (  # who arrives first knows nothing of the second
        "if (t == 0) { __threadfence(); atomicAdd(count, 1); __threadfence(); } __syncthreads();"
        " y[127 - i] = 0; y[i] = 0;",
        r"writes y\[\d+\], which another block writes",
    ),
    "same_value": ("y[0] = 1;", r"writes y\[0\], which another block writes"),
    "read_after_write": (
        "if (blockIdx.x == 0) y[t] = x[t]; else y[i] = 0 * y[5];",
        r"reads y\[5\], which another block writes",
    ),
    "write_after_read": (
        "if (blockIdx.x == 0) y[t] = 0 * y[100]; else y[i] = 0;",
        r"writes y\[100\], which another block reads",
    ),
    "two_names": (  # z is y
        "if (blockIdx.x == 0) y[t] = 0 * z[64]; else y[i] = 0;",
        r"writes y\[64\], which another block reads",
    ),
    "copied": (
        "__shared__ float s[64]; if (blockIdx.x) y[i] = 0; else { cp_async<4>(s + t, y + 64 + t, true);"
        " cp_async_commit(); cp_async_wait<0>(); }",
        r"writes y\[64\], which another block reads",
    ),
}

KERNEL = """
extern "C" __global__ void {name}(float* y, const float* x, const float* z, int* count) {{
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  {body}
}}
"""


@functools.cache
def module(races: bool = True) -> EmuModule:
    return EmuModule("".join(KERNEL.format(name=n, body=row[0]) for n, row in BODIES.items()), races=races)


def launch(name: str, races: bool = True) -> None:
    x, y, count = np.zeros(128, np.float32), np.zeros(128, np.float32), np.zeros(1, np.int32)
    module(races).get_function(name)((2,), (64,), (y, x, y, count), schedules=ORDERS)


@pytest.mark.parametrize("name", BODIES)
def test_race(name):
    message = BODIES[name][1]
    if message is None:
        launch(name)
        return
    with pytest.raises(KernelError, match=rf"^{name}: {message}: block \(1, 0, 0\), thread \("):
        launch(name)


def test_without_the_watch_values_alone_count():
    launch("same_value", races=False)
    launch("write_after_read", races=False)
