"""UpsampleDarknet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(stride: int, *shape: int) -> Case:
    return Case(f'type: "UpsampleDarknet" upsample_darknet_param {{ stride: {stride} }}', (shape,))


CASES = [case(2, 2, 3, 2, 4), case(1, 1, 2, 3, 2)]


@each_device
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_formula_and_gradient(device, stride, h, w):
    one = case(stride, 2, 2, h, w)
    check_forward(one, device, lambda x: x.repeat(stride, 2).repeat(stride, 3), rtol=0)
    check_gradient(one, device, directions=1)


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="stride must be at least 1; got 0"):
        Rig(case(0, 1, 1, 2, 2), cpu)
    with pytest.raises(ShapeError, match="must have 4 axes"):
        Rig(case(2, 3, 2), cpu)
