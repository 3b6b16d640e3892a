"""Log."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, positive
from ..support.strategies import shapes

CASES = [
    Case('type: "Log"', ((2, 3, 4, 5),), (positive,)),
    Case('type: "Log" log_param { base: 10 scale: 0.5 shift: 2 }', ((7,),), (positive,)),
]


@each_device
@given(
    shape=shapes(),
    base=st.sampled_from([-1.0, 2.0, 0.5]),
    scale=st.sampled_from([1.0, 0.25]),
    shift=st.sampled_from([0.0, 1.5]),
)
def test_formula_and_gradient(device, shape, base, scale, shift):
    conf = f"base: {base} scale: {scale} shift: {shift}"
    case = Case(f'type: "Log" log_param {{ {conf} }}', (shape,), (positive,))
    check_forward(case, device, lambda x: np.log(shift + scale * x) / (1 if base == -1 else np.log(base)))
    check_gradient(case, device)


@pytest.mark.parametrize("base", [0, 1, -2])
def test_bases_that_make_no_sense(base, cpu):
    with pytest.raises(ConfigError, match=f"base must be above 0 and not 1, or -1 for e; got {base}"):
        Rig(Case(f'type: "Log" log_param {{ base: {base} }}', ((2,),)), cpu)


@each_device
def test_special_values(device):
    rig = Rig(Case('type: "Log"', ((4,),)), device)
    with np.errstate(all="ignore"):
        (y,) = rig.forward([np.array([np.nan, np.inf, 0.0, -1.0])])
    np.testing.assert_array_equal(y, [np.nan, np.inf, -np.inf, np.nan])
