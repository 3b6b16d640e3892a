"""ShuffleChannel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(group: int, *shape: int) -> Case:
    return Case(f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}', (shape,))


CASES = [case(2, 2, 6, 3, 2), case(3, 1, 6), case(1, 2, 3, 2), case(4, 3, 4, 1, 1)]


@each_device
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.sampled_from([(), (2,), (3, 2)]))
def test_formula_and_gradient(device, n, group, each, tail):
    one = case(group, n, group * each, *tail)
    shuffled = lambda x: x.reshape(n, group, each, -1).swapaxes(1, 2).reshape(x.shape)  # noqa: E731
    check_forward(one, device, shuffled)
    check_gradient(one, device)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"bottom 0 must have channels on axis 1, divisible by group 2; got"):
        Rig(case(2, 2, 3, 4), cpu)
    with pytest.raises(ShapeError, match="divisible by group 2"):
        Rig(case(2, 2), cpu)
    with pytest.raises(ConfigError, match="group must be at least 1"):
        Rig(case(0, 2, 2), cpu)
