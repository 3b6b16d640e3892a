"""Permute."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes


def permute(shape: tuple, *order: int) -> Case:
    orders = " ".join(f"order: {axis}" for axis in order)
    return Case(f'type: "Permute" permute_param {{ {orders} }}', (shape,))


CASES = [
    permute((2, 3, 5, 4), 0, 2, 3, 1),
    permute((3, 2, 4), 1),
    permute((2, 3, 4), 0, 1),
    permute((2, 11, 3, 13), 3, 2, 1, 0),
    permute((1, 40, 9, 5), 0, 2, 3, 1),
    permute((2, 3, 1, 1), 0, 3, 2, 1),
    permute((2, 3, 2, 3, 2), 4, 1, 3, 0, 2),
]


@each_device
@given(shape=shapes(), data=st.data())
def test_formula(device, shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    case = permute(shape, *order[: data.draw(st.integers(0, len(shape)))])
    listed = [int(axis) for axis in case.layer.replace("}", "").split("order: ")[1:]]
    full = listed + [axis for axis in range(len(shape)) if axis not in listed]
    check_forward(case, device, lambda x: x.transpose(full))
    check_gradient(case, device, directions=1)


@each_device
@pytest.mark.parametrize("shape", [(2, 70, 9, 8), (70, 41), (3, 5, 131), (8, 8), (1, 64, 64), (2, 7, 70)])
def test_squares_and_what_is_left_of_them(device, shape):
    order = (0, *range(2, len(shape)), 1) if len(shape) > 2 else (1, 0)
    check_forward(permute(shape, *order), device, lambda x: x.transpose(order))
    check_gradient(permute(shape, *order), device, directions=1)


def test_the_order_there_was_is_shared(cpu):
    rig = Rig(CASES[2], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


def test_a_batch_of_one_between_others(cpu):
    """With it nothing moves, and then something does again."""
    rig = Rig(permute((1, 3), 1, 0), cpu)
    for items in (1, 4, 1):
        x = np.arange(3.0 * items).reshape(items, 3)
        rig.bottom[0].reshape(*x.shape)
        rig.net.reshape()
        (y,) = rig.forward([x])
        np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("items", [0, 2])
def test_a_batch_may_be_empty(cpu, items):
    assert Rig(permute((items, 2, 3), 0, 2, 1), cpu).forward([np.ones((items, 2, 3))])[0].shape == (
        items,
        3,
        2,
    )


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        (permute((2, 3), 1, 1), ConfigError, r"order must name an axis once; got \[1, 1\]"),
        (permute((2, 3), 0, 2), ShapeError, r"order names axis 2; bottom 0 has 2 axes, \(2, 3\)"),
        (permute((2,) * 6, 5, 4, 3, 2, 1, 0), ShapeError, "6 axes of bottom 0.*move apart.*use two Permute"),
    ],
)
def test_refuses(cpu, case, error, message):
    with pytest.raises(error, match=message):
        Rig(case, cpu)
