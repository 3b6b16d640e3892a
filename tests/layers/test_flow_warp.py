"""FlowWarp."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct


def far(shape, rng) -> np.ndarray:
    """A flow over a pixel or two, no place near a row or a column of pixels."""
    return rng.integers(-2, 3, shape) + rng.uniform(0.1, 0.9, shape)


def case(*shape: int, fill: str = "ZERO") -> Case:
    layer = f'type: "FlowWarp" flow_warp_param {{ fill_value: {fill} }}'
    return Case(layer, (shape, (shape[0], 2, *shape[2:])), (distinct, far))


CASES = [case(1, 2, 4, 5), case(2, 1, 3, 2), case(1, 3, 1, 4)]


def warp(x, flow, absent=0.0):
    n, _, h, w = x.shape
    y = np.full(x.shape, absent)
    for i, r, s in np.ndindex(n, h, w):
        across, down = s + flow[i, 0, r, s], r + flow[i, 1, r, s]
        if not (0 <= across < w and 0 <= down < h):
            continue
        left, upper = int(across), int(down)
        right, lower = min(left + 1, w - 1), min(upper + 1, h - 1)
        a, b = across - left, down - upper
        above = (1 - a) * x[i, :, upper, left] + a * x[i, :, upper, right]
        below = (1 - a) * x[i, :, lower, left] + a * x[i, :, lower, right]
        y[i, :, r, s] = (1 - b) * above + b * below
    return y


@each_device
@given(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)))
def test_formula_and_gradient(device, shape):
    check_forward(case(*shape), device, warp)
    check_gradient(case(*shape), device)


@each_device
def test_outside_may_be_no_number(device):
    check_forward(case(1, 2, 4, 5, fill="NOT_A_NUMBER"), device, lambda x, flow: warp(x, flow, np.nan))


@each_device
def test_a_flow_that_is_no_number_leads_outside(device):
    rig, (x, flow) = Rig(CASES[0], device), CASES[0].arrays()
    flow[0, 0, 1, 2] = np.nan
    flow[0, 1, 2, 2] = np.inf
    (y,) = rig.forward([x, flow])
    assert not y[0, :, 1, 2].any() and not y[0, :, 2, 2].any()
    rig.seed_tops()
    assert all(np.isfinite(d).all() for d in rig.backward()[0])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"bottom 1 be \(n, 2, h, w\); got .* and \(1, 3, 4, 5\)"):
        Rig(Case('type: "FlowWarp"', ((1, 2, 4, 5), (1, 3, 4, 5))), cpu)
