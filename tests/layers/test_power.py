"""Power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, positive
from ..support.strategies import shapes


def power(power=1.0, scale=1.0, shift=0.0, shape=(2, 3, 4), maker=distinct, **more) -> Case:
    conf = f"power_param {{ power: {power} scale: {scale} shift: {shift} }}"
    return Case(f'type: "Power" {conf}', (shape,), (maker,), **more)


CASES = [
    Case('type: "Power"', ((2, 3, 4, 5),)),
    power(1, -0.5, 0.25),
    power(2, 0.75, -0.5),
    power(3, -2, 0.25, (7,)),
    power(-1.5, 0.5, 0.25, maker=positive),
    power(0.5, 2, 0, maker=positive),
    power(0, 2, 3),
    power(3, 0, 2),
]
IN_PLACE = [CASES[i] for i in (0, 1, 6, 7)]


@each_device
@given(
    shape=shapes(),
    p=st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.5, -1.0, -2.5]),
    scale=st.sampled_from([0.0, 1.0, 0.75]),
    shift=st.sampled_from([0.0, 0.5]),
)
def test_formula_and_gradient(device, shape, p, scale, shift):
    case = power(p, scale, shift, shape, positive)
    constant = 1.0 if p == 0 else np.inf if shift == 0 and p < 0 else shift**p
    check_forward(
        case, device, lambda x: np.full(x.shape, constant) if p * scale == 0 else (shift + scale * x) ** p
    )
    if np.isfinite(constant):
        check_gradient(case, device)


@each_device
def test_negative_base(device):
    x = np.array([-2.0, -0.5, 2.0])
    (y,) = Rig(power(3, shape=(3,)), device).forward([x])
    np.testing.assert_allclose(y, x**3, rtol=1e-12)
    (y,) = Rig(power(-2.4, 0.83, 0.37, shape=(3,)), device).forward([x])
    assert np.isnan(y[0]) and np.isnan(y[1]) and y[2] > 0


@each_device
@pytest.mark.parametrize("p, slope", [(1, 1), (2, 0), (3, 0), (1.5, 0), (0.5, np.inf), (-1, -np.inf)])
def test_gradient_at_zero(device, p, slope):
    """Where Caffe divides 0 by 0."""
    rig = Rig(power(p, shape=(1,)), device)
    rig.forward([np.zeros(1)])
    device.put(np.ones(1), rig.top[0].diff)
    (dx,), _ = rig.backward()
    assert dx[0] == slope


@each_device
def test_constants_do_not_look_at_their_input(device):
    for case, level in ((power(0, shape=(2,)), 1), (power(2, 0, 3, shape=(2,)), 9)):
        rig = Rig(case, device)
        (y,) = rig.forward([np.array([np.nan, np.inf])])
        np.testing.assert_array_equal(y, [level, level])
        rig.seed_tops()
        (dx,), _ = rig.backward()
        np.testing.assert_array_equal(dx, [0, 0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_in_place_only_where_the_gradient_needs_no_data(cpu, case):
    if case in IN_PLACE:
        Rig(case, cpu, in_place=True)
    else:
        with pytest.raises(ConfigError, match="cannot run in place with these settings"):
            Rig(case, cpu, in_place=True)
