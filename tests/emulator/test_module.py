"""EmuModule and EmuFunction: what they take for a launch, and what they refuse."""

import functools
import multiprocessing

import numpy as np
import pytest

from minicaffe.errors import DeviceError

from ..support.emulator import build
from ..support.emulator.module import ORDERS, EmuModule, KernelError, Schedule

SOURCE = """
struct Pair { int first, second; };
extern "C" __global__ void fill(float* y, float by, Pair pair, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = by * (pair.first + pair.second);
}
extern "C" __global__ void shift(float* to, const float* from, int n) {
  const int i = threadIdx.x;
  if (i < n) to[i] = from[i] + 1;
}
extern "C" __global__ void large(float* y) {
  DYNAMIC_SHARED(float, s);
  s[threadIdx.x] = 1;
  y[threadIdx.x] = s[threadIdx.x];
}
"""


@functools.cache
def module() -> EmuModule:
    return EmuModule(SOURCE)


Y, N = np.zeros(100, np.float32), np.int32(100)
PAIR = np.array((1, 2), "i4,i4")


def test_a_launch_with_numbers_and_a_struct():
    y = np.zeros(100, np.float32)
    module().get_function("fill")((2,), (64,), (y, np.float32(2), PAIR, N), schedules=ORDERS)
    assert (y == 6).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((Y, np.float32(1), PAIR), "^fill: takes 4 arguments; got 3"),
        ((Y, np.float32(1), PAIR, N, N), "^fill: takes 4 arguments; got 5"),
        ((Y, 1.0, PAIR, N), "^fill: argument 1 must have 4 bytes; 1.0 has 8; hint: .* pass np.int32"),
        ((Y, np.float32(1), PAIR, 100), "^fill: argument 3 must have 4 bytes; 100 has 8"),
        ((Y, np.float32(1), N, N), "^fill: argument 2 must have 8 bytes"),
        ((Y.astype(np.float64), np.float32(1), PAIR, N), "^fill: argument 0 must have elements of 4 bytes"),
        ((np.float32(1), np.float32(1), PAIR, N), "^fill: argument 0 must be an array"),
        ((np.zeros((100, 2), np.float32)[:, 0], np.float32(1), PAIR, N), "must be contiguous"),
        (
            (None, np.float32(1), PAIR, N),
            "^fill: writes an illegal address.*block .0, 0, 0., thread .0, 0, 0.",
        ),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(DeviceError, match=message):
        module().get_function("fill")((2,), (64,), arguments)


@pytest.mark.parametrize(
    "grid, block, message",
    [
        ((0,), (1,), "a grid of .0, 1, 1."),
        ((1, 65536), (1,), "a grid of .1, 65536, 1."),
        ((1,), (0,), "a block of .0, 1, 1."),
        ((1,), (33, 32), "a block of .33, 32, 1.; it must have 1 to 1024 threads"),
    ],
)
def test_limits(grid, block, message):
    with pytest.raises(KernelError, match=message):
        module().get_function("fill")(grid, block, (Y, np.float32(1), PAIR, N))


def test_dynamic_shared_memory_beyond_48_kib_must_be_asked_for():
    large, y = module().get_function("large"), np.zeros(32, np.float32)
    with pytest.raises(KernelError, match=r"49156 bytes of dynamic shared .* max_dynamic_shared_size_bytes"):
        large((1,), (32,), (y,), shared_mem=49156)
    large.max_dynamic_shared_size_bytes = 49156
    large((1,), (32,), (y,), shared_mem=49156)
    assert (y == 1).all()


def test_arguments_that_overlap_stay_overlapped():
    block = np.zeros(100, np.float32)
    shift = module().get_function("shift")
    shift((1,), (64,), (block[10:60], block[10:60], np.int32(50)), schedules=ORDERS)
    np.testing.assert_array_equal(block, np.repeat([0, 1, 0], [10, 50, 40]))
    shift((1,), (64,), (block[40:90], block[20:70], np.int32(20)), schedules=ORDERS)
    np.testing.assert_array_equal(block, np.repeat([0, 1, 2, 0], [10, 30, 20, 40]))
    with pytest.raises(KernelError, match=r"to\[\d+\] depends on the order"):
        shift((1,), (64,), (block[1:51], block[:50], np.int32(50)), schedules=ORDERS)


def test_an_array_is_watched_whatever_lies_beside_it():
    block = np.zeros(100, np.float32)
    with pytest.raises(KernelError, match=r"reads from\[10\], and from has 10 elements"):
        module().get_function("shift")((1,), (64,), (block[50:], block[10:20], np.int32(11)))


def test_a_kernel_that_does_not_loop_over_the_grid():
    with pytest.raises(KernelError, match=r"^fill: y\[64\] depends on .* the size of the grid"):
        arguments = (Y, np.float32(1), PAIR, N)
        module().get_function("fill")((2,), (64,), arguments, schedules=(Schedule(), Schedule(blocks=1)))


def test_unknown_kernels_and_wrong_sources():
    with pytest.raises(KernelError, match="there is no kernel fil; hint: did you mean 'fill'"):
        module().get_function("fil")
    with pytest.raises(KernelError, match=r"does not compile(.|\n)*kernels.cu:2:"):
        EmuModule('extern "C" __global__ void k(float* y) {\n  y[0] = undeclared; }')
    with pytest.raises(KernelError, match=r"does not compile(.|\n)*uninitialized"):
        EmuModule('extern "C" __global__ void k(float* y) { float v; y[0] = v; }')
    with pytest.raises(KernelError, match=r"does not compile(.|\n)*ambiguous"):  # as NVRTC finds
        EmuModule('extern "C" __global__ void k(float* y) { y[0] = max(y[0], 0); }')


def _path(code: str) -> str:
    return str(EmuModule(code).path)


def test_processes_may_build_the_same_source_at_the_same_time(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "folder", lambda: tmp_path)
    build.runtime()  # the same for all, and built before
    with multiprocessing.get_context("fork").Pool(4) as pool:
        paths = pool.map(_path, ['extern "C" __global__ void k(float* y) { y[0] = 1; }'] * 4)
    assert len(set(paths)) == 1 and {p.suffix for p in tmp_path.iterdir()} == {"", ".so"}  # and a lock
