"""Exp."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "Exp"', ((2, 3, 4, 5),)),
    Case('type: "Exp" exp_param { base: 2 scale: -0.5 shift: 0.25 }', ((7,),)),
]


@each_device
@given(
    shape=shapes(),
    base=st.sampled_from([-1.0, 2.0, 0.5, 1.0]),
    scale=st.sampled_from([1.0, -0.75, 0.0]),
    shift=st.sampled_from([0.0, 1.5]),
)
def test_formula_and_gradient(device, shape, base, scale, shift):
    case = Case(f'type: "Exp" exp_param {{ base: {base} scale: {scale} shift: {shift} }}', (shape,))
    check_forward(case, device, lambda x: (np.e if base == -1 else base) ** (shift + scale * x))
    check_gradient(case, device)


@pytest.mark.parametrize("base", [0, -2])
def test_bases_that_make_no_sense(base, cpu):
    with pytest.raises(ConfigError, match=f"base must be above 0, or -1 for e; got {base}"):
        Rig(Case(f'type: "Exp" exp_param {{ base: {base} }}', ((2,),)), cpu)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "Exp"', ((4,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, 0.0])])
    np.testing.assert_array_equal(y, [np.nan, np.inf, 0, 1])
