"""Flatten."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

FLATTEN = 'type: "Flatten" flatten_param {{ {} }}'
SHAPE = ((2, 3, 6, 5),)

CASES = [Case(FLATTEN.format(""), SHAPE), Case(FLATTEN.format("axis: 0 end_axis: -2"), SHAPE)]


@each_device
@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (2, 90)),
        ("axis: 2", (2, 3, 30)),
        ("end_axis: -2", (2, 18, 5)),
        ("axis: 0 end_axis: -2", (36, 5)),
        ("axis: 0", (180,)),
        ("axis: -1", (2, 3, 6, 5)),
        ("axis: 2 end_axis: 1", (2, 3, 1, 6, 5)),
    ],
)
def test_shapes_and_values(device, fields, shape):
    check_forward(Case(FLATTEN.format(fields), SHAPE), device, lambda x: x.reshape(shape))


def test_no_copy_is_made(cpu):
    rig = Rig(CASES[0], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("axis: 3 end_axis: 1", r"axis 3 lies behind end_axis 1: bottom 0 has the shape \(2, 3, 6, 5\)"),
        ("axis: 4", "axis 4 does not exist"),
        ("end_axis: -5", "axis -5 does not exist"),
    ],
)
def test_refuses(cpu, fields, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(FLATTEN.format(fields), SHAPE), cpu)


def test_in_place_is_refused(cpu):
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(CASES[0], cpu, in_place=True)
