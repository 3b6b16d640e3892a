"""BNLL."""

import numpy as np
from hypothesis import given

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [Case('type: "BNLL"', ((2, 3, 4, 5),)), Case('type: "BNLL"', ((7,),))]


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    case = Case('type: "BNLL"', (shape,))
    check_forward(case, device, lambda x: np.logaddexp(0, x))
    check_gradient(case, device)


@each_device
def test_extremes(device):
    x = np.array([np.nan, np.inf, -np.inf, 1e4, -1e4, -40.0])
    rig = Rig(Case('type: "BNLL"', ((6,),)), device)
    (y,) = rig.forward([x])
    np.testing.assert_array_equal(y[:5], [np.nan, np.inf, 0, 1e4, 0])
    np.testing.assert_allclose(y[5], np.exp(-40.0), rtol=1e-12)  # no cancellation


def test_float32_is_as_good_as_the_library():
    rig = Rig(Case('type: "BNLL"', ((5000,),)), make_device("cpu", np.float32))
    x = np.linspace(-80, 80, 5000, dtype=np.float32)
    (y,) = rig.forward([x])
    np.testing.assert_allclose(y, np.logaddexp(0, x.astype(np.float64)), rtol=6e-7)
