"""Reverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes


def case(shape: tuple, *axes: int) -> Case:
    text = " ".join(f"axis: {axis}" for axis in axes)
    return Case(f'type: "Reverse" reverse_param {{ {text} }}', (shape,))


CASES = [case((5, 2, 3)), case((2, 3, 4), 2), case((2, 3, 4), -2), case((3, 2, 2, 3, 2), 0, 2, 3)]


@each_device
@given(shape=shapes(), data=st.data())
def test_formula(device, shape, data):
    axes = data.draw(st.lists(st.sampled_from(range(len(shape))), unique=True))
    one = case(shape, *axes)
    check_forward(one, device, lambda x: np.flip(x, axes or 0))
    check_gradient(one, device, directions=1)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (case((2, 3), 1, -1), ConfigError, r"reverse_param.axis must name an axis once; got \[1, 1\]"),
        (case((2, 3), 2), ShapeError, "axis 2"),
        (case((2,) * 6, 1, 3, 5), ShapeError, "makes 6 runs of the axes.*use two Reverse layers"),
    ],
)
def test_refuses(cpu, wrong, error, message):
    with pytest.raises(error, match=message):
        Rig(wrong, cpu)
