"""Sigmoid."""

import numpy as np
from hypothesis import given

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "Sigmoid"', ((2, 3, 4, 5),)),
    Case('type: "Sigmoid" sigmoid_param { engine: CAFFE }', ((7,),)),
]


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    case = Case('type: "Sigmoid"', (shape,))
    check_forward(case, device, lambda x: 1 / (1 + np.exp(-x)))
    check_gradient(case, device)


@each_device
def test_extremes(device):
    rig = Rig(Case('type: "Sigmoid"', ((6,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, -40.0, 1e9, -1e9])])
    assert np.isnan(y[0])
    np.testing.assert_array_equal(y[[1, 2, 4, 5]], [1, 0, 1, 0])
    np.testing.assert_allclose(y[3], np.exp(-40.0), rtol=1e-12)  # no cancellation far below 0


def test_float32_is_as_good_as_the_library():
    rig = Rig(Case('type: "Sigmoid"', ((5000,),)), make_device("cpu", np.float32))
    x = np.linspace(-80, 80, 5000, dtype=np.float32)
    (y,) = rig.forward([x])
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x.astype(np.float64))), rtol=4e-7)
