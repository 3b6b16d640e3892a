"""ChannelScale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(*shape: int, text: str = "", gradient: bool = True) -> Case:
    layer = f'type: "ChannelScale" channel_scale_param {{ {text} }}'
    return Case(layer, (shape, (shape[0], 1, *shape[2:])), gradient=gradient)


CASES = [case(2, 3, 2, 4), case(4, 5), case(2, 3, 4, text="do_backward_scale: false", gradient=False)]


@each_device
@given(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)))
def test_formula_and_gradient(device, shape):
    check_forward(case(*shape), device, lambda x, s: x * s)
    check_gradient(case(*shape), device)


@each_device
def test_either_way_may_be_left_out(device):
    check_forward(case(2, 3, 4, text="do_forward: false", gradient=False), device, lambda x, s: x, rtol=0)
    for text in ("do_backward_feature: false", "do_backward_scale: false"):
        rig = Rig(case(2, 3, 4, text=text, gradient=False), device)
        x, s = rig.case.arrays()
        rig.forward([x, s])
        (dy,) = rig.seed_tops()
        (dx, ds), _ = rig.backward()
        np.testing.assert_allclose(dx, dy if "feature" in text else dy * s)
        wanted = 0 * s if "scale: false" in text else (dy * x).sum(1, keepdims=True)
        np.testing.assert_allclose(ds, wanted, atol=1e-12)


def test_refuses(cpu):
    with pytest.raises(
        ShapeError, match=r"a factor for each position of bottom 0, \(2, 3, 4\); got \(2, 3\)"
    ):
        Rig(Case('type: "ChannelScale"', ((2, 3, 4), (2, 3))), cpu)
    with pytest.raises(ConfigError, match=r"channel_scale_param.global_scale is not supported"):
        Rig(case(2, 3, text="global_scale: true"), cpu)
