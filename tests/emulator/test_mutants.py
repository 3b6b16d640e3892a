"""The real kernels with a fault planted in each: one small launch, checked as every kernel is, must notice.

So the mutants test the tests.  A new kernel adds a line: its family, the text to replace, what with, a call.
"""

from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pytest

from minicaffe.device.base import Device
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import (
    activation,
    convolution,
    gemm,
    loss,
    lrn,
    partial_sums,
    pooling,
    scale,
    shape,
    softmax,
    update,
)

from ..support.emulator import EmulatedCuda
from ..support.emulator.module import KernelError

# -- calls: a kernel, and its arguments as arrays (copied to the device, compared afterwards) and numbers

RNG = np.random.default_rng(8)


def real(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape)


RELU = "relu_forward", real(3000), real(3000), 0.5
ADD_BIAS = "add_bias", real(30), real(20, 30), 20, 30, 1
GEMM = "gemm", real(18, 20), real(20, 21), real(18, 21), gemm.Gemm(18, 21, 20, 0, 0, 0)
GEMM_T = "gemm", real(20, 18), real(21, 20), real(18, 21), gemm.Gemm(18, 21, 20, 1, 1, 1)
# 2 images, 2 groups of 3 to 2 channels, 6 x 5 to 3 x 5, kernel 3 x 2, stride 2 x 1, pad 1 x 1, dilation 1 x 2
G = convolution.contiguous(2, 2, 3, 2, 1, 1, 6, 5, 1, 3, 5, 1, 3, 2, 1, 2, 1, 0, 1, 1, 1, 1, 2)
# Of which only y counts: planes of 16, images enough for more than one round of a block, and of a tile.
EVEN = convolution.contiguous(70, 1, 1, 4, 1, *[1, 1, 16] * 2, *[1] * 6, *[0] * 3, *[1] * 3)._replace(relu=1)
X, Y, W, B = real(2, 6, 6, 5), real(2, 4, 3, 5), real(4, 3, 3, 2), real(4)
FORWARD = "conv_forward", X, W, B, B, Y, G
BACKWARD_DATA = "conv_backward_data", Y, W, X, G
BACKWARD_WEIGHTS = "conv_backward_weights", X, Y, W, G
FOLLOWED = "conv_forward", X, W, B, B, real(4, 4, 3, 5), G._replace(y_step=120, scaled=1, relu=1)
ADDED = "conv_backward_data", Y, W, X, G._replace(add=1)
MASKED = "conv_backward_bias", Y, real(2, 4, 3, 5), B, G._replace(relu=1)
EVEN_MASKED = "conv_backward_bias", real(70, 4, 16), real(70, 4, 16), B, EVEN
FINISHED = "conv_finish", B, B, real(140, 4, 16), EVEN._replace(y_step=128)
BIAS_GRADIENT = "bias_gradient", Y, B, scale.Extent(2, 4, 15), 1
BIAS_FORWARD = "bias_forward", Y, B, real(2, 4, 3, 5), scale.Extent(2, 4, 15), 0
EVEN_GRADIENT = "bias_gradient", real(70, 4, 16), B, scale.Extent(70, 4, 16), 0
RELU_GRADIENT = "relu_bias_gradient", real(70, 4, 16), real(70, 4, 16), B, scale.Extent(70, 4, 16), 0
COLUMN_SUMS = "add_column_sums", real(20, 70), real(70), 20, 70
SOFTMAX = "softmax_backward", real(4, 300), real(4, 300), real(4, 300), softmax.Columns(4, 300, 1)
SHORT = "softmax_forward", real(20, 10), real(20, 10), softmax.Columns(20, 10, 1)
# 5 planes, 7 x 6 to 3 x 3, window 3 x 3, stride 2 x 2, pad 0 x 1
POOL = pooling.Pool(5, 7, 6, 3, 3, 3, 3, 2, 2, 0, 1, 0, 1)
MAX_POOL = "max_pool_forward", real(5, 7, 6), real(5, 3, 3), np.zeros((5, 3, 3), np.int32), POOL
MASK = np.tile(np.array([0, 2, 4, 12, 14, 16, 24, 26, 28], np.int32), 5)
MAX_POOL_BACKWARD = "max_pool_backward", real(5, 3, 3), MASK, real(5, 7, 6), POOL, 1
AVE_POOL_BACKWARD = "ave_pool_backward", real(5, 3, 3), real(5, 7, 6), POOL, 1
# The same as 5 images, 3 elements apart
APART = POOL._replace(channels=1, x_step=45, y_step=12)
MAX_POOL_APART = "max_pool_forward", real(5 * 45), real(5 * 12), np.zeros((5, 3, 3), np.int32), APART
NORMALIZE = (
    "lrn_forward",
    real(2, 38, 3),
    real(2, 38, 3),
    real(2, 38, 3),
    lrn.Lrn(2, 38, 3, 2, 0),
    2.0,
    0.5,
    0.6,
)
POSITIVE = real(2, 38, 3) ** 2 + 0.1
DENORMALIZE = (
    "lrn_backward",
    POSITIVE,
    POSITIVE,
    POSITIVE,
    real(2, 38, 3),
    real(2, 38, 3),
    lrn.Lrn(2, 38, 3, 2, 0),
    0.5,
    0.6,
)
COPY_ODD = "copy_rows", real(40), real(60), shape.Rows(3, 8, 1, 12, 8, 16)
CLIP_SCALE = "clip_scale", real(600) ** 2, real(8), 600, 1.0, 2.0
# The arrays of a sum of 3 pieces, and of one.
ENDS, END = (
    (
        real(k),
        np.zeros(2 * k, np.int32),
        real(1),
        real(2),
        np.array([partial_sums.NONE, 0], np.int32),
        real(1),
    )
    for k in (3, 1)
)
EUCLIDEAN = "euclidean_loss_forward", real(3000), real(3000), real(3000), *ENDS, 3000, 7.0
BAD_LABELS = (
    "accuracy_forward",
    real(2200, 2),
    np.arange(2200.0) % 3,
    *ENDS,
    loss.Labels(2200, 2, 1, 0, 0),
    1,
    0.0,
)
SOFTMAX_LOSS = (
    "softmax_loss_forward",
    real(8, 40),
    np.arange(8.0) * 5,
    real(8, 40),
    np.zeros(8, np.int32),
    *END,
    loss.Labels(8, 40, 1, 1, 10),
    0.0,
)

MUTANTS = [
    # family, text, what it becomes, a call that must notice
    (gemm, "unsigned(i) < unsigned(n)", "unsigned(i) <= unsigned(n)", ADD_BIAS),  # FOR
    (gemm, "i += blockDim.x * gridDim.x", "i += blockDim.x", ADD_BIAS),
    (gemm, "i = blockIdx.x * blockDim.x + threadIdx.x", "i = threadIdx.x", ADD_BIAS),
    (activation, "min(first + k * BLOCK, last)", "first + k * BLOCK", RELU),  # map
    (activation, "if (first + k * BLOCK <= last) y", "y", RELU),
    (activation, "(n - 1) / TILE + 1", "n / TILE", RELU),
    (activation, "unsigned(tile) * TILE", "0u", RELU),
    (activation, "EACH * BLOCK }", "EACH * BLOCK + 1 }", RELU),
    (activation, "v <= 0", "v < -0.1", RELU),
    (
        gemm,
        "for (int i = blockIdx.x; i < (n); i += gridDim.x)",
        "for (int i = blockIdx.x; i < (n); i = n)",
        GEMM,
    ),
    (gemm, "      __syncthreads();\n      for", "      for", GEMM),  # tiles read before they are complete
    (gemm, "as[row][p] * bs[p][column];\n      __syncthreads();", "as[row][p] * bs[p][column];", GEMM),
    (gemm, "if (i < g.m && j < g.n) c", "if (i < g.m) c", GEMM),
    (gemm, "if (i < g.m && j < g.n) c", "c", GEMM),
    (gemm, "pb < g.k && j < g.n", "j < g.n", GEMM),
    (gemm, "as[16][17]", "as[16][15]", GEMM),
    (gemm, "g.ta ? a[pa * g.m + i]", "g.ta ? a[pa * g.k + i]", GEMM_T),
    (gemm, "g.add ? c[i * g.n + j] + total", "g.add ? total", GEMM_T),
    (convolution, "o.i * g.sh + k.i * g.lh", "o.i * g.sw + k.i * g.lh", FORWARD),
    (convolution, "k.j * g.lw - g.pw", "k.j * g.lw", FORWARD),
    (convolution, "r >= 0 && r < g.w ?", "r < g.w ?", FORWARD),
    (convolution, "r < g.w ?", "r <= g.w ?", FORWARD),
    (convolution, "if (g.bias) v += bias[channel];", "", FORWARD),
    (convolution, "g.relu && v <= 0", "false", FOLLOWED),
    (convolution, "at / pixels * g.y_step", "at / pixels * g.groups * g.m * pixels", FOLLOWED),
    (convolution, "g.add ? *result + total", "g.add ? total", ADDED),
    (convolution, "if (g.relu) store", "if (false) store", MASKED),
    (convolution, "(t - image * vectors) * N", "(t - image * vectors)", EVEN_MASKED),
    (convolution, "pixels % WIDTH == 0 && g.y_step", "g.y_step", MASKED),
    (convolution, "i / image * g.y_step + rest", "i", FINISHED),
    (convolution, "o >= 0 && o % stride == 0", "o >= 0", BACKWARD_DATA),
    (convolution, "o / stride < extent ?", "o / stride <= extent ?", BACKWARD_DATA),
    (convolution, "n0 + column] += total", "n0 + column] = total", BACKWARD_WEIGHTS),
    (convolution, "i] = m0 + i < g.m && k < depth", "i] = m0 + i < g.m", BACKWARD_WEIGHTS),
    (convolution, "pixel < columns && k0 + k < depth", "k0 + k < depth", FORWARD),
    (convolution, "    fetch(k0, slice);\n    __syncthreads();", "    fetch(k0, slice);", FORWARD),
    (convolution, "column + 16 * j];\n    __syncthreads();", "column + 16 * j];", BACKWARD_WEIGHTS),
    (convolution, "n0 + threadIdx.x);\n    __syncthreads();", "n0 + threadIdx.x);", BACKWARD_WEIGHTS),
    (convolution, "k0 + threadIdx.x);\n      __syncthreads();", "k0 + threadIdx.x);", FORWARD),
    (gemm, "part[warp][lane] = total;\n    __syncthreads();", "part[warp][lane] = total;", COLUMN_SUMS),
    (gemm, "    }\n    __syncthreads();\n  }", "    }\n  }", COLUMN_SUMS),
    (gemm, "warp == 0 && j < columns", "warp == 0", COLUMN_SUMS),
    (gemm, "i = warp; i < rows", "i = warp; i < rows - 1", COLUMN_SUMS),
    (scale, "= v;\n  __syncthreads();", "= v;", BIAS_GRADIENT),  # block_sum
    (softmax, "  __syncthreads();\n  if (threadIdx.x % LANES", "  if (threadIdx.x % LANES", SOFTMAX),
    (scale, "bits = LANES / 2", "bits = LANES / 4", BIAS_GRADIENT),
    (scale, "warp = 1; warp < WARPS", "warp = 1; warp < WARPS - 1", EVEN_GRADIENT),
    (scale, "? quotient + 1 : quotient", "? quotient : quotient", BIAS_FORWARD),  # Divisor
    (scale, "0xffffffffu / max", "0xfffffffu / max", BIAS_FORWARD),
    (scale, "min(first + k * BLOCK, count - 1)", "first + k * BLOCK", EVEN_GRADIENT),  # channel sums
    (scale, "if (first + k * BLOCK < count) total", "total", BIAS_GRADIENT),
    (scale, "inner % WIDTH == 0 && ", "", BIAS_GRADIENT),
    (scale, "(t - row * vectors) * N", "(t - row * vectors)", EVEN_GRADIENT),
    (scale, "j = 1; j < N", "j = 2; j < N", EVEN_GRADIENT),
    (scale, "if (threadIdx.x == 0) dbias[j]", "dbias[j]", BIAS_GRADIENT),
    (scale, "dy[at[k]] : dy[at[k]] * 0", "dy[at[k]] : dy[at[k]]", RELU_GRADIENT),
    (scale, "if (first + k * BLOCK < count) total += dy", "total += dy", RELU_GRADIENT),
    (softmax, "s.lanes == LANES ? warp_joined(v, join) : v", "v", SHORT),
    (softmax, "item * (BLOCK / lanes)", "item * BLOCK", SHORT),
    (softmax, "{column, -1, lane, lanes}", "{column, 0, lane, lanes}", SHORT),
    (loss, "== int(gridDim.x) - 1", "== 0", EUCLIDEAN),  # partial sums
    (loss, "noted[ARRIVED] = 0;", "", EUCLIDEAN),
    (loss, "a.total + b.total", "a.total", EUCLIDEAN),
    (loss, "min(a.first, b.first)", "max(a.first, b.first)", BAD_LABELS),
    (loss, "value[0] = labels[all.first]", "value[0] = labels[0]", BAD_LABELS),
    (loss, "label % s.lanes : 0", "0 : 0", SOFTMAX_LOSS),
    (loss, "      if (mine) {", "      if (true) {", SOFTMAX_LOSS),
    (loss, "counts && label >= 0", "label >= 0", SOFTMAX_LOSS),
    (gemm, "relu && v <= 0", "v < 0 && false", ADD_BIAS),
    (pooling, "min(group * PLANES + k, g.planes - 1)", "group * PLANES + k", MAX_POOL),
    (pooling, "image[k] * step", "plane[k] / PLANES * step", MAX_POOL_APART),
    (pooling, "if (k > 0 && of.plane[k] == of.plane[k - 1]) break;", "", MAX_POOL_BACKWARD),
    (pooling, "at[k] = wins ? r * g.w + c : at[k]", "at[k] = r * g.w + c", MAX_POOL),
    (pooling, "mask[of.mask(k) + o] == b.at ? above : real(0)", "above", MAX_POOL_BACKWARD),
    (pooling, "(shifted - kernel) / stride + 1", "(shifted - kernel) / stride", AVE_POOL_BACKWARD),
    (pooling, "min(shifted / stride + 1, outputs)", "shifted / stride + 1", MAX_POOL_BACKWARD),
    (lrn, "if (first + a >= at.last) break;", "", NORMALIZE),
    (lrn, "i >= 0 && i < g.h ? x[", "i >= 0 ? x[", NORMALIZE),
    (lrn, "int i = at.first - REACH", "int i = at.first", NORMALIZE),
    (lrn, "part % stretches * STRETCH", "0", NORMALIZE),
    (lrn, "i < g.h ? Line", "i <= g.h ? Line", DENORMALIZE),
    (lrn, "first + a < at.last ? x", "true ? x", DENORMALIZE),
    (shape, "g.length | g.x_start | g", "g.length | g", COPY_ODD),
    (
        shape,
        "(e - row * vectors) * N",
        "(e - row * vectors)",
        COPY_ODD[:1] + (real(40), real(60), shape.Rows(3, 8, 4, 12, 8, 16)),
    ),
    (update, "sqrt(block_sum(total))", "sqrt(total)", CLIP_SCALE),
]


class Mutated(EmulatedCuda):
    """The emulated device with one text of its sources replaced, and with one kernel: the others of its
    family are made functions that nothing calls, of which no code is made, as that takes most of the time."""

    def __init__(self, old: str, new: str, kernel: str) -> None:
        super().__init__(np.float64)
        self.old, self.new, self.kernel = old, new, kernel

    def source(self, module: ModuleType) -> str:
        text = super().source(module)
        assert self.old in text, f"{module.__name__} no longer contains {self.old!r}"
        text = text.replace(self.old, self.new, 1)
        return re.sub(rf"^KERNEL (?!{self.kernel}\b)", "static void ", text, flags=re.MULTILINE)


def results(device: Device, family: ModuleType, call: tuple) -> list[np.ndarray]:
    """The array arguments of a call, afterwards."""
    name, *arguments = call
    placed = [
        device.empty(a.shape, np.int32 if a.dtype == np.int32 else None) if isinstance(a, np.ndarray) else a
        for a in arguments
    ]
    arrays = [(a, host) for a, host in zip(placed, arguments) if isinstance(host, np.ndarray)]
    for array, host in arrays:
        device.put(host, array)
    getattr(device.bind(family), name)(*placed)
    return [device.get(array) for array, _ in arrays]


def agrees(device: Device, family: ModuleType, call: tuple) -> bool:
    oracle = results(CpuDevice(np.float64, kernels="plain"), family, call)
    pairs = zip(results(device, family, call), oracle)
    return all(np.allclose(one, other, rtol=1e-10, atol=1e-10) for one, other in pairs)


@pytest.mark.parametrize("family, old, new, call", MUTANTS)
def test_mutant_is_noticed(family, old, new, call):
    assert agrees(EmulatedCuda(np.float64), family, call)
    mutant = Mutated(old, new, call[0])
    try:
        noticed = not all(agrees(mutant, family, call) for _ in range(3))
    except KernelError as error:
        noticed = str(error).startswith(f"{call[0]}: ")
    assert noticed
