"""Asynchronous copies and tensor cores."""

import functools

import numpy as np
import pytest

from ..support.emulator.module import FORWARD, ORDERS, REVERSE, EmuModule, KernelError, Schedule

# A block passes its part of x through shared memory, in two groups of copies.
COPIES = """
extern "C" __global__ void {name}(float* y, const float* x, int n) {{
  __shared__ __align__(16) float s[2][128];
  const int t = threadIdx.x;
  for (int half = 0; half < 2; ++half) {{
    cp_async<16>(s[half] + 4 * t, x + half * 128 + 4 * t, half * 128 + 4 * t < n);
    cp_async_commit();
  }}
  {first}
  __syncthreads();
  for (int i = 0; i < 4; ++i) y[i * 32 + t] = s[0][i * 32 + t];
  {second}
  __syncthreads();
  for (int i = 0; i < 4; ++i) y[128 + i * 32 + t] = s[1][i * 32 + t];
}}
"""
WAITS = {
    "right": ("cp_async_wait<1>();", "cp_async_wait<0>();"),
    "no_wait": ("", "cp_async_wait<0>();"),
    "no_second_wait": ("cp_async_wait<1>();", ""),
    "wait_for_too_few": ("cp_async_wait<2>();", "cp_async_wait<0>();"),
}

MMA = """
extern "C" __global__ void mma(float* d, const float* a, const float* b, int lanes) {
  const int l = threadIdx.x, g = l / 4, t = l % 4;
  const uint32_t fa[4] = {f32_to_tf32(a[g * 8 + t]), f32_to_tf32(a[(g + 8) * 8 + t]),
                          f32_to_tf32(a[g * 8 + t + 4]), f32_to_tf32(a[(g + 8) * 8 + t + 4])};
  const uint32_t fb[2] = {f32_to_tf32(b[t * 8 + g]), f32_to_tf32(b[(t + 4) * 8 + g])};
  float fd[4];
  for (int i = 0; i < 4; ++i) fd[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  if (l >= lanes) return;
  mma_m16n8k8_tf32(fd, fa, fb);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = fd[i];
}
extern "C" __global__ void round_to_tf32(float* y, const float* x) {
  y[threadIdx.x] = __uint_as_float(f32_to_tf32(x[threadIdx.x]));
}
extern "C" __global__ void misaligned_copy(const float* x) {
  __shared__ float s[64];
  cp_async<16>(s + 4 * threadIdx.x, x + threadIdx.x, true);
}
"""


@functools.cache
def module() -> EmuModule:
    copies = (COPIES.format(name=name, first=a, second=b) for name, (a, b) in WAITS.items())
    return EmuModule("".join([*copies, MMA]))


def test_copies_arrive_after_their_waits_and_zeros_where_nothing_is_read():
    x, y = np.arange(1, 201, dtype=np.float32), np.zeros(256, np.float32)
    module().get_function("right")((1,), (32,), (y, x, np.int32(200)), schedules=ORDERS)
    np.testing.assert_array_equal(y, np.pad(x, (0, 56)))


@pytest.mark.parametrize("name", ["no_wait", "no_second_wait", "wait_for_too_few"])
def test_a_missing_wait(name):
    x, y = np.arange(1, 257, dtype=np.float32), np.zeros(256, np.float32)
    pair = (Schedule(FORWARD), Schedule(REVERSE))  # land as late as allowed, and at once
    message = rf"^{name}: y\[\d+\] depends on the order .*: block \(0, 0, 0\), thread \(\d+, 0, 0\)"
    with pytest.raises(KernelError, match=message):
        module().get_function(name)((1,), (32,), (y, x, np.int32(256)), schedules=pair)


def test_a_misaligned_copy():
    message = r"cp.async with an address that is no multiple of 16: block \(0, 0, 0\), thread \(1, 0, 0\)"
    with pytest.raises(KernelError, match=message):
        module().get_function("misaligned_copy")((1,), (4,), (np.zeros(64, np.float32),))


def test_mma():
    """Numbers of few bits, so that every product and sum is exact."""
    rng = np.random.default_rng(5)
    a, b, d = (rng.integers(-64, 64, shape).astype(np.float32) / 8 for shape in ((16, 8), (8, 8), (16, 8)))
    wanted = d + a @ b
    module().get_function("mma")((1,), (32,), (d, a, b, np.int32(32)), schedules=ORDERS)
    np.testing.assert_array_equal(d, wanted)


def test_mma_loses_bits_as_tf32_does():
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((16, 8)).astype(np.float32), rng.standard_normal((8, 8)).astype(np.float32)
    d = np.zeros((16, 8), np.float32)
    module().get_function("mma")((1,), (32,), (d, a, b, np.int32(32)))
    error = np.abs(d - a.astype(np.float64) @ b).max()
    assert 1e-5 < error < 8 * 9 * 2.0**-10  # |a b| < 9; each factor is off by at most 2^-11


def test_mma_needs_the_whole_warp():
    d, a, b = (np.zeros(shape, np.float32) for shape in ((16, 8), (16, 8), (8, 8)))
    with pytest.raises(KernelError, match="calls mma, which needs all 32 lanes, with 0xffff: block"):
        module().get_function("mma")((1,), (32,), (d, a, b, np.int32(16)))


def test_rounding_to_tf32():
    one = np.float32(1)
    x = np.array([1 + 2**-10, 1 + 2**-11, 1 + 2**-11 - 2**-23, -1 - 2**-11, np.inf, np.nan, 0], np.float32)
    y = np.zeros_like(x)
    module().get_function("round_to_tf32")((1,), (x.size,), (y, x))
    up = one + np.float32(2**-10)
    np.testing.assert_array_equal(y, [up, up, one, -up, np.inf, np.nan, 0])
