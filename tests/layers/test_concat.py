"""Concat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CONCAT = 'type: "Concat" concat_param {{ {} }}'

CASES = [
    Case(CONCAT.format(""), ((2, 3, 4, 5), (2, 5, 4, 5))),
    Case(CONCAT.format("axis: 0"), ((2, 3, 2),) * 3),
    Case(CONCAT.format("axis: -1"), ((2, 3, 1), (2, 3, 4))),
    Case(CONCAT.format("concat_dim: 1"), ((2, 3), (2, 2))),
    Case(CONCAT.format(""), ((2, 3),)),
]


@each_device
@given(shape=shapes(), data=st.data())
def test_joins(device, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    extents = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    bottoms = tuple((*shape[:axis], e, *shape[axis:][1:]) for e in extents)
    case = Case(CONCAT.format(f"axis: {axis}"), bottoms)
    check_forward(case, device, lambda *x: np.concatenate(x, axis))
    check_gradient(case, device)


@each_device
def test_gradient_of_some_bottoms_only(device):
    rig = Rig(CASES[0], device)
    rig.forward(CASES[0].arrays())
    (dy,) = rig.seed_tops()
    rig.propagate = [False, True]
    device.fill(rig.bottom[0].diff, 3)
    (_, dx), _ = rig.backward()
    np.testing.assert_array_equal(dx, dy[:, 3:])
    assert (device.get(rig.bottom[0].diff) == 3).all()


def test_one_bottom_is_shared(cpu):
    rig = Rig(CASES[-1], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


@each_device
def test_long_rows(device):
    """Longer than what the CPU copies at a time."""
    case = Case(CONCAT.format("axis: 0"), ((2, 5000), (1, 5000)))
    check_forward(case, device, lambda *x: np.concatenate(x))


@pytest.mark.parametrize(
    ("fields", "shapes", "error", "message"),
    [
        ("axis: 1 concat_dim: 1", ((2, 3),) * 2, ConfigError, "both axis and concat_dim are set"),
        ("axis: 2", ((2, 3),) * 2, ShapeError, "axis 2 does not exist"),
        (
            "",
            ((2, 3, 4), (2, 3, 4), (2, 3, 5)),
            ShapeError,
            r"bottom 2 and bottom 0 must agree in all axes but 1; got \(2, 3, 5\) and \(2, 3, 4\)",
        ),
        ("", ((2, 3), (2, 3, 1)), ShapeError, r"got \(2, 3, 1\) and \(2, 3\)"),
    ],
)
def test_refuses(cpu, fields, shapes, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(CONCAT.format(fields), shapes), cpu)
