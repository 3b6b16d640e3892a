"""Pad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes


def case(shape, paddings, value=0.0) -> Case:
    fields = " ".join(f"paddings: {n}" for n in paddings)
    return Case(f'type: "Pad" pad_param {{ {fields} constant_values: {value} }}', (shape,))


CASES = [
    case((2, 3, 4, 5), (0, 0, 0, 0, 1, 2, 3, 0), 1.5),
    case((2, 3), (1, 0, 0, 2)),
    case((2, 2, 3, 2, 2), (0, 1, 1, 0, 0, 0, 2, 0, 0, 0), -2),
]


@each_device
@given(shapes(most=60), st.data(), st.sampled_from([0.0, -1.5, 3.0]))
def test_formula_and_gradient(device, shape, data, value):
    sides = [(data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in shape]
    one = case(shape, sum(sides, ()), value)
    check_forward(one, device, lambda x: np.pad(x, sides, constant_values=value))
    check_gradient(one, device)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"two values for each of the 2 axes .*\(2, 3\); got \[1, 1\]"):
        Rig(case((2, 3), (1, 1)), cpu)
