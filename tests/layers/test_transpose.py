"""Transpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes


def transpose(shape: tuple, *order: int) -> Case:
    dims = " ".join(f"dim: {axis}" for axis in order)
    return Case(f'type: "Transpose" transpose_param {{ {dims} }}', (shape,))


CASES = [transpose((2, 3, 5, 4), 0, 2, 3, 1), transpose((3, 2, 4), 0, 1, 2), transpose((4, 3), 1, 0)]


@each_device
@given(shape=shapes(), data=st.data())
def test_formula(device, shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    check_forward(transpose(shape, *order), device, lambda x: x.transpose(order))
    check_gradient(transpose(shape, *order), device, directions=1)


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        (transpose((2, 3), 1, 1), ConfigError, r"transpose_param.dim must name an axis once; got \[1, 1\]"),
        (transpose((2, 3), 0), ShapeError, r"every axis of bottom 0, 2 of them for \(2, 3\); got \[0\]"),
        (transpose((2, 3), 0, -1), ShapeError, "transpose_param.dim names axis -1; bottom 0 has 2 axes"),
        (transpose((2,) * 6, 5, 4, 3, 2, 1, 0), ShapeError, "6 axes of bottom 0.*use two Transpose layers"),
    ],
)
def test_refuses(cpu, case, error, message):
    with pytest.raises(error, match=message):
        Rig(case, cpu)
