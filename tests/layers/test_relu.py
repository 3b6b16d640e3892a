"""ReLU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "ReLU"', ((2, 3, 4, 5),)),
    Case('type: "ReLU" relu_param { negative_slope: 0.1 }', ((7,),)),
]


@each_device
@given(shape=shapes(), slope=st.sampled_from([0.0, 0.125]))
def test_formula_and_gradient(device, shape, slope):
    case = Case(f'type: "ReLU" relu_param {{ negative_slope: {slope} }}', (shape,))
    check_forward(case, device, lambda x: np.where(x > 0, x, slope * x))
    check_gradient(case, device)


def test_negative_slope_below_zero_works_out_of_place_and_is_refused_in_place(cpu):
    case = Case('type: "ReLU" relu_param { negative_slope: -0.5 }', ((2, 3),))
    check_gradient(case, cpu)
    with pytest.raises(ConfigError, match="cannot run in place with these settings"):
        Rig(case, cpu, in_place=True)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "ReLU"', ((4,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, -0.0])])
    assert np.isnan(y[0]) and y[1] == np.inf and y[2] == 0 and y[3] == 0
