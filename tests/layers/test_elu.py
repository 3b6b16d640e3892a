"""ELU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "ELU"', ((2, 3, 4, 5),)),
    Case('type: "ELU" elu_param { alpha: 0.25 }', ((7,),)),
]


@each_device
@given(shape=shapes(), alpha=st.sampled_from([1.0, 0.5, 0.0, -0.5]))
def test_formula_and_gradient(device, shape, alpha):
    case = Case(f'type: "ELU" elu_param {{ alpha: {alpha} }}', (shape,))
    check_forward(case, device, lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))
    check_gradient(case, device)


def test_alpha_below_zero_is_refused_in_place(cpu):
    with pytest.raises(ConfigError, match="cannot run in place with these settings"):
        Rig(Case('type: "ELU" elu_param { alpha: -0.5 }', ((2, 3),)), cpu, in_place=True)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "ELU" elu_param { alpha: 2 }', ((4,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, 0.0])])
    np.testing.assert_array_equal(y, [np.nan, np.inf, -2, 0])
