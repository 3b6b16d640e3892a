"""The real kernels with a fault planted in each: one small launch, checked as every kernel is, must notice.

So the mutants test the tests.  A new kernel adds a line: its family, the text to replace, what with, a call.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from minicaffe.device.base import Device
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import activation, convolution, gemm, scale, softmax

from ..support.emulator import EmulatedCuda
from ..support.emulator.module import KernelError

# -- calls: a kernel, and its arguments as arrays (copied to the device, compared afterwards) and numbers

RNG = np.random.default_rng(8)


def real(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape)


RELU = "relu_forward", real(300), real(300), 0.5
ADD_BIAS = "add_bias", real(30), real(20, 30), 20, 30
GEMM = "gemm", real(18, 20), real(20, 21), real(18, 21), gemm.Gemm(18, 21, 20, 0, 0, 0)
GEMM_T = "gemm", real(20, 18), real(21, 20), real(18, 21), gemm.Gemm(18, 21, 20, 1, 1, 1)
# 2 images, 2 groups of 3 to 2 channels, 6 x 5 to 3 x 5, kernel 3 x 2, stride 2 x 1, pad 1 x 1, dilation 1 x 2
G = convolution.Conv(2, 2, 3, 2, 1, 1, 6, 5, 1, 3, 5, 1, 3, 2, 1, 2, 1, 0, 1, 1, 1, 1, 2)
X, Y, W, B = real(2, 6, 6, 5), real(2, 4, 3, 5), real(4, 3, 3, 2), real(4)
FORWARD = "conv_forward", X, W, B, Y, G
BACKWARD_DATA = "conv_backward_data", Y, W, X, G
BACKWARD_WEIGHTS = "conv_backward_weights", X, Y, W, G
BIAS_GRADIENT = "bias_gradient", Y, B, scale.Extent(2, 4, 15), 1
SOFTMAX = "softmax_backward", real(4, 300), real(4, 300), real(4, 300), softmax.Columns(4, 300, 1)

MUTANTS = [
    # family, text, what it becomes, a call that must notice
    (activation, "i < (n); i += blockDim.x", "i <= (n); i += blockDim.x", RELU),  # FOR
    (gemm, "i += blockDim.x * gridDim.x", "i += blockDim.x", ADD_BIAS),
    (activation, "i = blockIdx.x * blockDim.x + threadIdx.x", "i = threadIdx.x", RELU),
    (activation, "x[i] <= 0", "x[i] < -0.1", RELU),
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
    (convolution, "g.bias ? total + bias[m] : total", "total", FORWARD),
    (convolution, "o >= 0 && o % stride == 0", "o >= 0", BACKWARD_DATA),
    (convolution, "o / stride < extent ?", "o / stride <= extent ?", BACKWARD_DATA),
    (convolution, "dweights[e] += total", "dweights[e] = total", BACKWARD_WEIGHTS),
    (convolution, "image < g.n; ++image", "image <= g.n; ++image", BACKWARD_WEIGHTS),
    (
        scale,
        "part[threadIdx.x] = v;\n  __syncthreads();",
        "part[threadIdx.x] = v;",
        BIAS_GRADIENT,
    ),  # block_sum
    (softmax, "  __syncthreads();\n  part", "  part", SOFTMAX),
    (scale, "+ half];\n    __syncthreads();", "+ half];", BIAS_GRADIENT),
    (softmax, "return part[0]", "return part[threadIdx.x]", SOFTMAX),
    (scale, "threadIdx.x < half", "threadIdx.x <= half", BIAS_GRADIENT),
    (scale, "if (threadIdx.x == 0) dbias[j]", "dbias[j]", BIAS_GRADIENT),
]


class Mutated(EmulatedCuda):
    """The emulated device with one text of its sources replaced."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(np.float64)
        self.old, self.new = old, new

    def source(self, module: ModuleType) -> str:
        text = super().source(module)
        assert self.old in text, f"{module.__name__} no longer contains {self.old!r}"
        return text.replace(self.old, self.new, 1)


def results(device: Device, family: ModuleType, call: tuple) -> list[np.ndarray]:
    """The array arguments of a call, afterwards."""
    name, *arguments = call
    placed = [device.empty(a.shape) if isinstance(a, np.ndarray) else a for a in arguments]
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
    mutant = Mutated(old, new)
    try:
        noticed = not all(agrees(mutant, family, call) for _ in range(3))
    except KernelError as error:
        noticed = str(error).startswith(f"{call[0]}: ")
    assert noticed
