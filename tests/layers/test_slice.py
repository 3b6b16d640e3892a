"""Slice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

SLICE = 'type: "Slice" slice_param {{ {} }}'

CASES = [
    Case(SLICE.format(""), ((2, 6, 3, 2),), tops=3),
    Case(SLICE.format("slice_point: 1 slice_point: 4"), ((2, 6, 3),), tops=3),
    Case(SLICE.format("axis: 0 slice_point: 3"), ((4, 3),), tops=2),
    Case(SLICE.format("axis: -1"), ((3, 2, 4),), tops=2),
    Case(SLICE.format("slice_dim: 1 slice_point: 2"), ((2, 3, 2),), tops=2),
    Case(SLICE.format(""), ((2, 3),)),
]


@each_device
@given(shape=shapes(), data=st.data())
def test_cuts(device, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    extents = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    points = np.cumsum(extents)[:-1]
    whole = (*shape[:axis], sum(extents), *shape[axis:][1:])
    fields = f"axis: {axis} " + " ".join(f"slice_point: {p}" for p in points)
    case = Case(SLICE.format(fields), (whole,), tops=len(extents))
    check_forward(case, device, lambda x: np.split(x, points, axis))
    check_gradient(case, device)


@each_device
@given(shape=shapes(), parts=st.integers(1, 4), data=st.data())
def test_equal_parts(device, shape, parts, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    whole = (*shape[:axis], shape[axis] * parts, *shape[axis + 1 :])
    case = Case(SLICE.format(f"axis: {axis}"), (whole,), tops=parts)
    check_forward(case, device, lambda x: np.split(x, parts, axis))


@each_device
def test_long_rows(device):
    """Longer than what the CPU copies at a time."""
    case = Case(SLICE.format("axis: 0 slice_point: 1"), ((3, 9000),), tops=2)
    check_forward(case, device, lambda x: [x[:1], x[1:]])


@each_device
def test_values_pass_unchanged(device):
    rig = Rig(Case(SLICE.format(""), ((1, 4),), tops=2), device)
    one, other = rig.forward([np.array([[np.nan, -0.0, np.inf, -np.inf]])])
    np.testing.assert_array_equal(one, [[np.nan, -0.0]])
    assert np.signbit(one[0, 1])
    np.testing.assert_array_equal(other, [[np.inf, -np.inf]])


def test_one_top_is_shared(cpu):
    rig = Rig(CASES[-1], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


@pytest.mark.parametrize(
    ("fields", "shape", "tops", "error", "message"),
    [
        ("axis: 1 slice_dim: 1", (2, 4), 2, ConfigError, "both axis and slice_dim are set"),
        ("axis: 2", (2, 4), 2, ShapeError, "axis 2 does not exist"),
        ("slice_point: 1", (2, 4), 3, ConfigError, "3 tops need 2 values of slice_point; got 1"),
        ("slice_point: 1", (2, 4), 1, ConfigError, "1 tops need 0 values of slice_point; got 1"),
        ("slice_point: 2 slice_point: 2", (2, 4), 3, ConfigError, r"must rise, from 1 or more; got \[2, 2\]"),
        ("slice_point: 0", (2, 4), 2, ConfigError, r"must rise, from 1 or more; got \[0\]"),
        ("slice_point: 4", (2, 4), 2, ShapeError, "slice_point 4 lies behind axis 1"),
        ("", (2, 5), 2, ShapeError, r"axis 1 of bottom 0 of shape \(2, 5\) cannot be cut into 2 equal parts"),
        ("", (2, 0), 2, ShapeError, "cannot be cut into 2 equal parts"),
    ],
)
def test_refuses(cpu, fields, shape, tops, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(SLICE.format(fields), (shape,), tops=tops), cpu)
