"""Clip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import MiniCaffeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "Clip" clip_param { min: -0.5 max: 0.75 }', ((2, 3, 4, 5),)),
    Case('type: "Clip" clip_param { min: 0 max: 0 }', ((7,),)),
]


@each_device
@given(shape=shapes(), low=st.sampled_from([-1.0625, 0.1298828125]))
def test_formula_and_gradient(device, shape, low):
    case = Case(f'type: "Clip" clip_param {{ min: {low} max: 0.5361328125 }}', (shape,))
    check_forward(case, device, lambda x: np.clip(x, low, 0.5361328125))
    check_gradient(case, device)


@each_device
def test_limits_pass_the_gradient_and_nan_stays(device):
    rig = Rig(Case('type: "Clip" clip_param { min: -1 max: 2 }', ((7,),)), device)
    (y,) = rig.forward([np.array([-1, 2, -1.5, 2.5, np.inf, -np.inf, np.nan])])
    np.testing.assert_array_equal(y, [-1, 2, -1, 2, 2, -1, np.nan])
    rig.seed_tops()
    (dx,), _ = rig.backward()
    assert (dx[:2] != 0).all() and (dx[2:] == 0).all()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("min: 1 max: 0", r"clip_param.min \(1\) is above clip_param.max \(0\)"),
        ("max: 0", "clip_param.min"),
        ("min: 0", "clip_param.max"),
    ],
)
def test_a_range_needs_both_ends(conf, message, cpu):
    with pytest.raises(MiniCaffeError, match=message):
        Rig(Case(f'type: "Clip" clip_param {{ {conf} }}', ((2,),)), cpu)
