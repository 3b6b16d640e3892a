"""exp, tanh, log1p in compiled loops: accuracy, special values, and that they become vector code."""

from __future__ import annotations

import itertools

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


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no type is more exact than float64")
@pytest.mark.parametrize("name, low, high", [*RANGES, ("exp", -745, -708), ("exp", 700, 709.78)])
def test_float64_is_within_three_units_in_the_last_place(name, low, high):
    x = np.linspace(low, high, 20_001)
    wanted = LOOPS[name][1](x.astype(np.longdouble))
    error = np.abs(compiled(name, x) - wanted) / np.spacing(np.abs(wanted).astype(np.float64))
    assert error.max() <= 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOOPS)
def test_the_place_in_an_array_changes_no_bit(name, dtype):
    """The first and the last numbers of a loop do not fill a vector."""
    x = np.random.default_rng(0).random(100).astype(dtype)
    wanted = compiled(name, x)
    for first, last in itertools.product(range(9), range(9, 100, 7)):
        np.testing.assert_array_equal(compiled(name, x[first:last]), wanted[first:last])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0, 1e30, -1e30], dtype)
    np.testing.assert_array_equal(compiled("exp", x), np.array([np.nan, np.inf, 0, 1, np.inf, 0], dtype))
    np.testing.assert_array_equal(compiled("tanh", x), np.array([np.nan, 1, -1, 0, 1, -1], dtype))
    np.testing.assert_array_equal(compiled("log1p", x[[0, 3]]), x[[0, 3]])
    tiny = np.array([-0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny], dtype)
    np.testing.assert_array_equal(compiled("tanh", tiny), tiny)
    np.testing.assert_array_equal(compiled("exp", tiny), np.ones(3, dtype))


def test_exp_at_its_ends():
    """Down through the subnormal numbers to 0, and up to the largest number."""
    x = np.array([-87.5, -95, -103, -103.9, -104.1, 88.7228, 88.7229], np.float32)
    wide = np.array([-708.5, -720, -744, -745.1, -746, -1e300, 709.7827, 709.7828, 1e300])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(compiled("exp", x), np.exp(x), rtol=1e-6, atol=1.5e-45)
        np.testing.assert_allclose(compiled("exp", wide), np.exp(wide), rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize(
    "name, kind", [(name, "float") for name in LOOPS] + [("exp", "double"), ("tanh", "double")]
)
def test_loops_become_vector_code(name, kind):
    dtype = {"float": np.float32, "double": np.float64}[kind]
    compiled(name, np.zeros(16, dtype))
    texts = LOOPS[name][0].inspect_llvm().items()
    (text,) = (text for key, text in texts if np.dtype(dtype).name in str(key))
    assert f"x {kind}>" in text
