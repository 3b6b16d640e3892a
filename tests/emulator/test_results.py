"""Correct kernels: the right results, whatever the order of threads."""

import functools
import math

import numpy as np
import pytest

from minicaffe.kernels import cuda

from ..support.emulator.module import ORDERS, EmuModule

SOURCE = r"""
// y[block] = the sum of x over the block, by shuffles
extern "C" __global__ void sum_by_shuffles(float* y, const float* x) {
  __shared__ float part[4];
  float total = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int step = 16; step > 0; step /= 2) total += __shfl_down_sync(~0u, total, step);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = total;
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = part[0] + part[1] + part[2] + part[3];
}

extern "C" __global__ void reverse_in_dynamic(float* y, const float* x) {
  DYNAMIC_SHARED(float, s);
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void indices(int* y) {
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

extern "C" __global__ void histogram(int* counts, const int* x, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(counts + x[i], 1);
}

extern "C" __global__ void votes(int* y, const int* x) {
  const int v = x[threadIdx.x];
  const int results[6] = {__syncthreads_count(v), __syncthreads_or(v), __syncthreads_and(v),
                          int(__ballot_sync(~0u, v)), __any_sync(~0u, v), __all_sync(~0u, v)};
  for (int i = 0; i < 6; ++i) y[threadIdx.x * 6 + i] = results[i];
}

extern "C" __global__ void shuffles(int* y, int from, int width) {
  const int lane = threadIdx.x;
  y[lane * 4 + 0] = __shfl_sync(~0u, lane, from, width);
  y[lane * 4 + 1] = __shfl_up_sync(~0u, lane, from, width);
  y[lane * 4 + 2] = __shfl_down_sync(~0u, lane, from, width);
  y[lane * 4 + 3] = __shfl_xor_sync(~0u, lane, from, width);
}

// half warps go their own ways, each with a mask of its own
extern "C" __global__ void half_warps(int* y) {
  int v = threadIdx.x;
  if (threadIdx.x < 16)
    for (int i = 0; i < 3; ++i) v += __shfl_xor_sync(0xffffu, v, 1);
  else
    v = __popc(__ballot_sync(0xffff0000u, v % 3 == 0));
  y[threadIdx.x] = v;
}

extern "C" __global__ void unwritten(float* shared, double* dynamic) {
  __shared__ float s[32];
  DYNAMIC_SHARED(double, d);
  shared[threadIdx.x] = s[threadIdx.x];
  dynamic[threadIdx.x] = d[threadIdx.x];
}

template <typename T, int N> __global__ void __launch_bounds__(64) scale(T* y, const T* x, T by) {
  for (int i = 0; i < N; ++i) y[threadIdx.x * N + i] = x[threadIdx.x * N + i] * by;
}
"""
TEMPLATES = ["scale<float, 3>", "scale<double, 1>"]


@functools.cache
def module() -> EmuModule:
    return EmuModule(SOURCE)


def run(kernel, grid, block, *args, **options):
    module().get_function(kernel)(grid, block, args, schedules=ORDERS, **options)


def test_sum_by_shuffles():
    x, y = np.random.default_rng(1).standard_normal(384).astype(np.float32), np.zeros(3, np.float32)
    run("sum_by_shuffles", (3,), (128,), y, x)
    np.testing.assert_allclose(y, x.reshape(3, 128).sum(1), rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 31, 32, 33, 200, 1024])
def test_dynamic_shared_memory_and_partial_warps(threads):
    x, y = np.arange(threads, dtype=np.float32), np.zeros(threads, np.float32)
    run("reverse_in_dynamic", (1,), (threads,), y, x, shared_mem=4 * threads)
    np.testing.assert_array_equal(y, x[::-1])


def test_grids_and_blocks_of_three_axes():
    y = np.zeros(2 * 3 * 4 * 30, np.int32)
    run("indices", (2, 3, 4), (5, 3, 2), y)
    np.testing.assert_array_equal(y.reshape(24, 30), np.arange(24)[:, None] * 1000 + np.arange(30))


def test_integer_atomics():
    x = np.random.default_rng(2).integers(0, 7, 1000).astype(np.int32)
    counts = np.ones(7, np.int32)
    run("histogram", (3,), (64,), counts, x, np.int32(1000))
    np.testing.assert_array_equal(counts, 1 + np.bincount(x))


@pytest.mark.parametrize("bits", [[0] * 32, [1] * 32, [1, 0, 1, 1] * 8])
def test_votes(bits):
    x, y = np.array(bits, np.int32), np.zeros((32, 6), np.int32)
    run("votes", (1,), (32,), y, x)
    ballot = np.packbits(x.astype(bool), bitorder="little").view(np.int32)[0]
    np.testing.assert_array_equal(y, [[x.sum(), x.any(), x.all(), ballot, x.any(), x.all()]] * 32)


@pytest.mark.parametrize("width", [32, 8])
@pytest.mark.parametrize("by", [1, 3, 12])
def test_shuffles(by, width):
    """Lanes beyond the own segment cannot be read, but by xor earlier ones can."""
    y = np.zeros((32, 4), np.int32)
    run("shuffles", (1,), (32,), y, np.int32(by), np.int32(width))
    lane = np.arange(32)
    start, end = lane // width * width, lane // width * width + width
    wanted = [
        start + by % width,
        np.where(lane - by >= start, lane - by, lane),
        np.where(lane + by < end, lane + by, lane),
        np.where(lane ^ by < end, lane ^ by, lane),
    ]
    np.testing.assert_array_equal(y, np.stack(wanted, 1))


def test_warp_operations_of_some_lanes():
    y = np.zeros(32, np.int32)
    run("half_warps", (1,), (32,), y)
    lane = np.arange(32)
    np.testing.assert_array_equal(y, np.where(lane < 16, 4 * (lane + (lane ^ 1)), 5))


def test_shared_memory_that_nothing_was_written_to_is_nan():
    shared, dynamic = np.zeros(32, np.float32), np.zeros(32)
    run("unwritten", (1,), (32,), shared, dynamic, shared_mem=256)
    assert np.isnan(shared).all() and np.isnan(dynamic).all()


def test_template_instances():
    templates = EmuModule(SOURCE, TEMPLATES)
    x, y = np.arange(192, dtype=np.float32), np.zeros(192, np.float32)
    templates.get_function("scale<float, 3>")((1,), (64,), (y, x, np.float32(2)), schedules=ORDERS)
    np.testing.assert_array_equal(y, x * 2)
    x, y = np.arange(64.0), np.zeros(64)
    templates.get_function("scale<double, 1>")((1,), (64,), (y, x, np.float64(3)), schedules=ORDERS)
    np.testing.assert_array_equal(y, x * 3)


# -- arithmetic: an expression in CUDA, and what NumPy says

EXPRESSIONS = {
    "max(x, real(0.5))": lambda x: np.fmax(x, 0.5),  # a NaN loses
    "min(x, real(0.5))": lambda x: np.fmin(x, 0.5),
    "fmax(x, 1 - x)": lambda x: np.fmax(x, 1 - x),
    "abs(x)": np.abs,
    "rsqrt(x * x + 1)": lambda x: 1 / np.sqrt(x * x + 1),
    "pow(x * x, real(1.5))": lambda x: (x * x) ** 1.5,
    "pow(x, 3)": lambda x: x**3,
    "exp(x)": np.exp,
    "log(abs(x))": lambda x: np.log(np.abs(x)),
    "tanh(x)": np.tanh,
    "log1p(x * x)": lambda x: np.log1p(x * x),
    "floor(x * 3)": lambda x: np.floor(x * 3),
    "round(x * 3)": lambda x: np.where(np.isnan(x), x, np.sign(x) * np.floor(np.abs(x * 3) + 0.5)),
    "isnan(x) ? real(7) : x": lambda x: np.where(np.isnan(x), 7, x),
    "erf(x)": lambda x: np.array([math.erf(v) for v in x]),
    "real(__umulhi(0xD2511F53u, 0x89abcdefu))": lambda x: np.full(x.shape, 0xD2511F53 * 0x89ABCDEF >> 32),
    "real(__float_as_int(-1.5f))": lambda x: np.full(x.shape, np.float32(-1.5).view(np.int32)),
    "real(__int_as_float(0x3fc00000))": lambda x: np.full(x.shape, 1.5),
    "real(max(-3, int(threadIdx.x)) + min(5u, 7u) + __popc(255) + __clz(1) + __ffs(8))": lambda x: (
        np.arange(x.size) + 5 + 8 + 31 + 4
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic(dtype):
    real = {np.float32: "float", np.float64: "double"}[dtype]
    kernels = [f"typedef {real} real;"]
    for i, expression in enumerate(EXPRESSIONS):
        body = f"const real x = a[threadIdx.x]; y[threadIdx.x] = {expression};"
        kernels.append(f'extern "C" __global__ void k{i}(real* y, const real* a) {{ {body} }}')
    compiled = EmuModule("\n".join(kernels))
    x = np.array([0.3, -0.7, 2.0, -5.5, 1e-3, np.nan], dtype)
    for i, (expression, reference) in enumerate(EXPRESSIONS.items()):
        y = np.zeros_like(x)
        compiled.get_function(f"k{i}")((1,), (x.size,), (y, x))
        wanted = reference(x.astype(np.float64))
        np.testing.assert_allclose(y, wanted, rtol=4 * np.finfo(dtype).eps, err_msg=expression)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_numbers_are_flushed_in_float32(dtype):
    """Results and operands below the smallest normal number are 0, as CuPy compiles; not so on the host."""
    real = {np.float32: "float", np.float64: "double"}[dtype]
    body = "y[threadIdx.x] = x[threadIdx.x] * x[2 + threadIdx.x];"
    head = f'typedef {real} real;\nextern "C" __global__ void k(real* y, const real* x)'
    tiny = np.finfo(dtype).tiny
    x, y = np.array([tiny, -tiny / 2, 0.5, 4], dtype), np.ones(2, dtype)
    EmuModule(f"{head} {{ {body} }}").get_function("k")((1,), (2,), (y, x))
    np.testing.assert_array_equal(y, [0, 0] if dtype == np.float32 else [tiny / 2, -2 * tiny])
    assert (x[:1] * x[2:3] > 0).all()


@pytest.mark.parametrize("function", ["sum", "max"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_block_reductions_of_the_common_prefix(function, dtype):
    """Twice in a row, so that the second use of the shared memory meets slow readers of the first."""
    source = f"""
    KERNEL twice(const real* x, real* y, int n) {{
      FOR_BLOCK(i, n) {{
        const real first = block_{function}(x[i * BLOCK + threadIdx.x]);
        y[i * BLOCK + threadIdx.x] = first + block_{function}(-x[i * BLOCK + threadIdx.x]);
      }}
    }}"""
    real = {np.float32: "float", np.float64: "double"}[dtype]
    head = f"typedef {real} real;\n#define BLOCK {cuda.BLOCK}\n{cuda.COMMON.read_text()}"
    kernel = EmuModule(head + source.replace("\n    ", "\n")).get_function("twice")
    x, y = (
        np.random.default_rng(3).standard_normal((3, cuda.BLOCK)).astype(dtype),
        np.zeros((3, cuda.BLOCK), dtype),
    )
    kernel((3,), (cuda.BLOCK,), (x, y, np.int32(3)), schedules=ORDERS)
    wanted = x.max(1) + (-x).max(1) if function == "max" else np.zeros(3)
    np.testing.assert_allclose(y, np.repeat(wanted[:, None], cuda.BLOCK, 1), atol=1e-12)
