"""Swish."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "Swish"', ((2, 3, 4, 5),)),
    Case('type: "Swish" swish_param { beta: 0.25 }', ((7,),)),
]


@each_device
@given(shape=shapes(), beta=st.sampled_from([1.0, 1.5, 0.0, -0.5]))
def test_formula_and_gradient(device, shape, beta):
    case = Case(f'type: "Swish" swish_param {{ beta: {beta} }}', (shape,))
    check_forward(case, device, lambda x: x / (1 + np.exp(-beta * x)))
    check_gradient(case, device)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "Swish"', ((4,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, -1e4])])
    np.testing.assert_array_equal(y, [np.nan, np.inf, 0, 0])
