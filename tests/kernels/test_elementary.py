"""exp, tanh, log1p in compiled loops: accuracy, special values, and that they become vector code."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from minicaffe.kernels.cpu import FAST_MATH
from minicaffe.kernels.elementary import exp, log1p, tanh

vectorized = numba.njit(error_model="numpy", fastmath=FAST_MATH)  # as kernels are, but never from the cache


@vectorized
def exp_loop(x, y):
    for i in range(x.size):
        y[i] = exp(x[i])


@vectorized
def tanh_loop(x, y):
    for i in range(x.size):
        y[i] = tanh(x[i])


@vectorized
def log1p_loop(x, y):
    for i in range(x.size):
        y[i] = log1p(x[i])


LOOPS = {"exp": (exp_loop, np.exp), "tanh": (tanh_loop, np.tanh), "log1p": (log1p_loop, np.log1p)}
RANGES = [("exp", -87, 88.7), ("exp", -1, 1), ("exp", -1e-3, 1e-3), ("tanh", -12, 12), ("tanh", -1, 1)]
RANGES += [("tanh", -1e-4, 1e-4), ("log1p", 0, 1), ("log1p", 0, 1e-5)]


def compiled(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    LOOPS[name][0](x, y)
    return y


@pytest.mark.parametrize("name, low, high", RANGES)
def test_within_two_units_in_the_last_place(name, low, high):
    x = np.linspace(low, high, 100_001).astype(np.float32)
    wanted = LOOPS[name][1](x.astype(np.float64))
    error = np.abs(compiled(name, x) - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    assert error.max() <= 2


@pytest.mark.parametrize("name, low, high", RANGES)
def test_float64_is_the_library(name, low, high):
    x = np.linspace(low, high, 1001)
    np.testing.assert_allclose(compiled(name, x), LOOPS[name][1](x), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0, 1e30, -1e30], dtype)
    np.testing.assert_array_equal(compiled("exp", x), np.array([np.nan, np.inf, 0, 1, np.inf, 0], dtype))
    np.testing.assert_array_equal(compiled("tanh", x), np.array([np.nan, 1, -1, 0, 1, -1], dtype))
    np.testing.assert_array_equal(compiled("log1p", x[[0, 3]]), x[[0, 3]])


def test_exp_at_its_ends():
    """Down through the subnormal numbers to 0, and up to the largest number."""
    x = np.array([-87.5, -95, -103, -103.9, -104.1, 88.7228, 88.7229], np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(compiled("exp", x), np.exp(x), rtol=1e-6, atol=1.5e-45)


@pytest.mark.parametrize("name", LOOPS)
def test_float32_becomes_vector_code(name):
    compiled(name, np.zeros(16, np.float32))
    loop = LOOPS[name][0]
    (text,) = (text for key, text in loop.inspect_llvm().items() if "float32" in str(key))
    assert "x float>" in text
