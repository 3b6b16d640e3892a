"""Tile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

TILE = 'type: "Tile" tile_param {{ {} }}'

CASES = [
    Case(TILE.format("tiles: 3"), ((2, 3, 2, 2),)),
    Case(TILE.format("tiles: 2 axis: 0"), ((3, 2),)),
    Case(TILE.format("tiles: 5 axis: -1"), ((2, 3, 1),)),
    Case(TILE.format("tiles: 1"), ((2, 3),)),
]


@each_device
@given(shape=shapes(), tiles=st.integers(1, 4), data=st.data())
def test_repeats(device, shape, tiles, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    case = Case(TILE.format(f"tiles: {tiles} axis: {axis}"), (shape,))
    times = [1] * len(shape)
    times[axis] = tiles
    check_forward(case, device, lambda x: np.tile(x, times))
    check_gradient(case, device)


@each_device
def test_long_rows(device):
    """Longer than what the CPU copies at a time."""
    case = Case(TILE.format("tiles: 2 axis: 0"), ((2, 5000),))
    check_forward(case, device, lambda x: np.tile(x, (2, 1)))
    rig = Rig(case, device)
    rig.forward(case.arrays())
    (dy,) = rig.seed_tops()
    (dx,), _ = rig.backward()
    np.testing.assert_array_equal(dx, dy[:2] + dy[2:])


@each_device
def test_nan_reaches_every_copy_and_its_own_gradient_only(device):
    rig = Rig(Case(TILE.format("tiles: 2"), ((1, 2),)), device)
    (y,) = rig.forward([np.array([[np.nan, 1]])])
    np.testing.assert_array_equal(y, [[np.nan, 1, np.nan, 1]])
    device.put(np.array([[1, 2, np.nan, 4]]), rig.top[0].diff)
    (dx,), _ = rig.backward()
    np.testing.assert_array_equal(dx, [[np.nan, 6]])


def test_one_tile_is_shared(cpu):
    rig = Rig(CASES[-1], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("", ConfigError, "tile_param.tiles is missing"),
        ("tiles: 0", ConfigError, "tiles must be at least 1; got 0"),
        ("tiles: -2", ConfigError, "tiles must be at least 1; got -2"),
        ("tiles: 2 axis: 2", ShapeError, "axis 2 does not exist"),
    ],
)
def test_refuses(cpu, fields, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(TILE.format(fields), ((2, 3),)), cpu)
