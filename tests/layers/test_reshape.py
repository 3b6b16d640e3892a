"""Reshape."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

RESHAPE = 'type: "Reshape" reshape_param {{ {} }}'
SHAPE = ((2, 3, 6, 5),)


def dims(*values, **fields):
    shape = " ".join(f"dim: {v}" for v in values)
    return RESHAPE.format(" ".join([f"shape {{ {shape} }}", *(f"{k}: {v}" for k, v in fields.items())]))


CASES = [
    Case(dims(0, -1), SHAPE),
    Case(dims(2, -1, axis=1, num_axes=2), SHAPE),
]


@each_device
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (dims(0, -1, 1, 1), (2, 90, 1, 1)),
        (dims(0, 0, 0, 0), (2, 3, 6, 5)),
        (dims(0, 3, 10, -1), (2, 3, 10, 3)),
        (dims(-1), (180,)),
        (dims(4, 45), (4, 45)),
        (dims(-1, axis=1), (2, 90)),
        (dims(-1, axis=1, num_axes=2), (2, 18, 5)),
        (dims(3, 2, axis=2, num_axes=1), (2, 3, 3, 2, 5)),
        (dims(0, 2, 3, axis=1, num_axes=2), (2, 3, 2, 3, 5)),
        (dims(1, axis=0, num_axes=0), (1, 2, 3, 6, 5)),
        (dims(1, axis=2, num_axes=0), (2, 3, 1, 6, 5)),
        (dims(1, axis=-1, num_axes=0), (2, 3, 6, 5, 1)),
        (dims(1, 1, axis=-2, num_axes=0), (2, 3, 6, 1, 1, 5)),
        (dims(-1, axis=-3), (2, 3, 30)),
        (dims(axis=2, num_axes=0), (2, 3, 6, 5)),
    ],
)
def test_shapes_and_values(device, layer, shape):
    check_forward(Case(layer, SHAPE), device, lambda x: x.reshape(shape))


@each_device
def test_no_axes_at_all(device):
    check_forward(Case(dims(), ((1, 1),)), device, lambda x: x.reshape(()))
    check_forward(Case(dims(1, 1), ((),)), device, lambda x: x.reshape(1, 1))


def test_no_copy_is_made(cpu):
    rig = Rig(CASES[0], cpu)
    assert np.shares_memory(rig.top[0].data, rig.bottom[0].data)
    assert np.shares_memory(rig.top[0].diff, rig.bottom[0].diff)


def test_follows_the_bottom(cpu):
    rig = Rig(CASES[0], cpu)
    rig.bottom[0].reshape(4, 2, 2)
    rig.net.reshape()
    assert rig.top[0].shape == (4, 4)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (dims(-1, -1), ConfigError, "-1 may stand once"),
        (dims(-2), ConfigError, "dims are -1 and up"),
        (dims(1, num_axes=-2), ConfigError, "num_axes must be -1 or more; got -2"),
        (dims(1, axis=5), ShapeError, "axis 5 does not exist"),
        (dims(1, axis=-6), ShapeError, "axis -6 does not exist"),
        (dims(1, axis=2, num_axes=3), ShapeError, r"3 axes from axis 2 on: bottom 0 of shape \(2, 3, 6, 5\)"),
        (dims(0, 0, 0, 0, 0), ShapeError, r"dim 4 of \[0, 0, 0, 0, 0\] is 0"),
        (dims(0, axis=-1, num_axes=0), ShapeError, "has no axis 4"),
        (dims(7, -1), ShapeError, "the 180 elements .* cannot be divided by 7"),
        (dims(0, 4), ShapeError, r"\(2, 3, 6, 5\) has 180 elements, the new shape \(2, 4\) has 8"),
    ],
)
def test_refuses(cpu, layer, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(layer, SHAPE), cpu)


def test_in_place_is_refused(cpu):
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(CASES[0], cpu, in_place=True)
