"""Softmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def layer(axis: int) -> str:
    return f'type: "Softmax" softmax_param {{ axis: {axis} }}'


CASES = [
    Case('type: "Softmax"', ((4, 10),)),
    Case('type: "Softmax"', ((2, 5, 2, 3),)),
    Case(layer(0), ((4, 3),)),
    Case(layer(-1), ((2, 3, 4),)),
    Case(layer(1), ((2, 300),)),  # long columns, which a CUDA block shares
]


@each_device
@given(data=st.data(), shape=shapes())
def test_formula_and_gradient(device, data, shape):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    case = Case(layer(axis), (shape,))
    check_forward(case, device, lambda x: softmax(x, axis))
    check_gradient(case, device)


@each_device
@pytest.mark.parametrize("shape, axis", [((2, 260, 3), 1), ((3, 513), 1), ((300, 2), 0)])
def test_long_columns(device, shape, axis):
    case = Case(layer(axis), (shape,))
    check_forward(case, device, lambda x: softmax(x, axis))
    check_gradient(case, device, directions=1)


@each_device
def test_large_scores_do_not_overflow(device):
    rig = Rig(Case('type: "Softmax"', ((4, 3),)), device)
    x = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4], [0, -np.inf, 0], [1, np.nan, 2]])
    (y,) = rig.forward([x])
    np.testing.assert_allclose(y[:3], [[0.5, 0.5, 0], [1 / 3] * 3, [0.5, 0, 0.5]], rtol=1e-12)
    assert np.isnan(y[3]).all()


def test_float32_is_as_good_as_the_library():
    x = (np.random.default_rng(2).standard_normal((50, 700)) * 5).astype(np.float32)
    (y,) = Rig(Case('type: "Softmax"', (x.shape,)), make_device("cpu", np.float32)).forward([x])
    np.testing.assert_allclose(y, softmax(x.astype(np.float64), 1), rtol=3e-6)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)


def test_axis_out_of_range(cpu):
    with pytest.raises(ShapeError, match=r"axis 2 does not exist in blob 'x0' of shape \(3, 4\)"):
        Rig(Case(layer(2), ((3, 4),)), cpu)
