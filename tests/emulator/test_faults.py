"""Planted faults: each must end the launch with a message that names the kernel, the block and the thread."""

import functools

import numpy as np
import pytest

from ..support.emulator.module import ORDERS, EmuModule, KernelError

ANY = r"\d+"

# Each row is a kernel that runs on two blocks of 64 threads: its name, its body, what the message must say,
# and the block and thread that it must name.  x and y have an element for every thread; s is shared memory,
# static or dynamic; k is 0.
BODIES = {
    # -- outside of an array
    "read_behind": ("y[i] = x[i + 1];", r"reads x\[128\], and x has 128 elements", "1", "63"),
    "read_before": ("y[i] = x[i - 1];", r"reads x\[-1\], and x has 128 elements", "0", "0"),
    "read_far_behind": ("y[i] = x[i + 20000];", r"reads x\[20000\], and x has 128 elements", "0", "0"),
    "write_behind": ("y[i + 1] = 1;", r"writes y\[128\], and y has 128 elements", "1", "63"),
    "write_before": ("y[i - 1] = 1;", r"writes y\[-1\], and y has 128 elements", "0", "0"),
    "read_behind_static": (
        "STATIC y[i] = s[t + k + 1];",
        "has an index outside an array of fixed size.*",
        "0",
        "63",
    ),
    "write_behind_static": (
        "STATIC s[t + k + 1] = 1;",
        "has an index outside an array of fixed size.*",
        "0",
        "63",
    ),
    "read_behind_dynamic": (
        "DYNAMIC y[i] = s[t + 1];",
        "reads byte 256 of 256 of dynamic shared.*",
        "0",
        "63",
    ),
    "write_behind_dynamic": (
        "DYNAMIC s[t + 1] = 1;",
        "writes byte 256 of 256 of dynamic shared.*",
        "0",
        "63",
    ),
    "write_before_dynamic": ("DYNAMIC s[t - 1] = 1;", "writes byte -4 of 256 of dynamic shared.*", ANY, "0"),
    "misaligned": (
        "y[i] = reinterpret_cast<const float4*>(x + 1)[0].x;",
        "has .* a misaligned vector access",
        "0",
        "0",
    ),
    # -- a barrier is missing
    "read_before_write": (
        "STATIC s[t] = x[i]; y[i] = s[63 - t];",
        r"y\[\d+\] depends on the order.*",
        ANY,
        ANY,
    ),
    "write_after_read": (
        """STATIC s[t] = x[i];
        __syncthreads();
        const float other = s[63 - t];
        s[t] = -other;
        __syncthreads();
        y[i] = s[t];""",
        r"y\[\d+\] depends on the order.*",
        ANY,
        ANY,
    ),
    "read_before_write_in_warp": (
        "STATIC s[t] = x[i]; y[i] = s[t ^ 1];",
        r"y\[\d+\] depends on the order.*",
        ANY,
        ANY,
    ),
    "two_threads_one_element": ("y[0] = i;", r"y\[0\] depends on the order.*", ANY, ANY),
    # -- threads do not meet
    "barrier_for_some": (
        "if (t < 40) __syncthreads();",
        r"has returned while thread \(0, 0, 0\) waits in __syncthreads at kernels.cu:\d+",
        "0",
        "40",
    ),
    "barrier_after_return": (
        "if (t == 63) return; __syncthreads();",
        "has returned while thread .* waits in __syncthreads .*",
        "0",
        "63",
    ),
    "two_barriers": (
        """if (t < 32)
          __syncthreads();
        else
          __syncthreads();""",
        "waits in __syncthreads at .*, thread .* in another one at .*",
        "0",
        "32",
    ),
    "two_kinds_of_barrier": (
        "if (t < 32) __syncthreads(); else __syncthreads_count(1);",
        "waits in __syncthreads at .*, thread .* in another one at .*",
        "0",
        "32",
    ),
    "two_warp_operations": (
        "if (t < 16) y[i] = __shfl_xor_sync(~0u, x[i], 1); else y[i] = __ballot_sync(~0u, 1);",
        "is in the warp operation at .*, lane 0 of its warp in the one at .*",
        "0",
        "16",
    ),
    "warp_operation_for_some": (
        "if (t < 16) __syncwarp(); __syncthreads();",
        r"deadlock: waits in the warp operation at .* \(mask 0xffffffff\) .*",
        "0",
        "0",
    ),
    "outside_its_mask": (
        "y[i] = __shfl_sync(0xffu, x[i], 0);",
        "calls a warp operation whose mask 0xff leaves it out",
        "0",
        "8",
    ),
    # -- the rest
    "division_by_zero": ("y[i] = t / k;", "divides an integer by zero", "0", "0"),
    "deep_stack": (
        "volatile float large[60000]; large[k] = 1; y[i] = large[k];",
        "has used up its stack",
        "0",
        "0",
    ),
    "endless": ("while (x[k] == 0) y[i] += 1;", r"has not ended after 1 s", ANY, ANY),
}

KERNEL = """
extern "C" __global__ void {name}(float* y, const float* x, int k) {{
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  {body}
}}
"""


@functools.cache
def module() -> EmuModule:
    source = "".join(KERNEL.format(name=name, body=row[0]) for name, row in BODIES.items())
    source = source.replace("STATIC", "__shared__ float s[64];").replace(
        "DYNAMIC", "DYNAMIC_SHARED(float, s);"
    )
    return EmuModule(source)


@pytest.mark.parametrize("name", BODIES)
def test_fault(name):
    kernel = module().get_function(name)
    kernel.time_limit_s = 1
    x, y = np.zeros(128, np.float32), np.zeros(128, np.float32)
    if name != "endless":
        x[:] = np.arange(1, 129)
    _, message, block, thread = BODIES[name]
    message = rf"^{name}: {message}: block \({block}, 0, 0\), thread \({thread}, 0, 0\)"
    with pytest.raises(KernelError, match=message):
        kernel((2,), (64,), (y, x, np.int32(0)), shared_mem=256, schedules=ORDERS)
    assert not y.any(), "a launch that fails leaves the caller's arrays alone"
