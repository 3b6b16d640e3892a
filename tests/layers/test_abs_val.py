"""AbsVal."""

import numpy as np
from hypothesis import given

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [Case('type: "AbsVal"', ((2, 3, 4, 5),)), Case('type: "AbsVal"', ((7,),))]


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    case = Case('type: "AbsVal"', (shape,))
    check_forward(case, device, np.abs)
    check_gradient(case, device)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "AbsVal"', ((5,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, -0.0, 0.0])])
    np.testing.assert_array_equal(y, [np.nan, np.inf, np.inf, 0, 0])
    rig.seed_tops()
    (dx,), _ = rig.backward()
    assert (dx[3:] == 0).all()
