"""Crop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.layers.shape.crop import box
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CROP = 'type: "Crop" crop_param {{ {} }}'

CASES = [
    Case(CROP.format("offset: 1 offset: 2"), ((2, 3, 5, 6), (2, 1, 3, 4))),
    Case(CROP.format(""), ((2, 2, 3, 4), (1, 5, 2, 4))),
    Case(CROP.format("axis: 0 offset: 1"), ((4, 3), (3, 2))),
    Case(CROP.format("axis: -1 offset: 3"), ((2, 2, 6), (7, 7, 2))),
    Case(CROP.format("axis: 1 offset: 1"), ((2, 3, 4, 3, 5), (2, 2, 3, 2, 3))),
    Case(CROP.format(""), ((2, 3, 2, 2), (2, 3, 2, 2))),
]


@each_device
@given(shape=shapes(most=60), data=st.data())
def test_crops(device, shape, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    sizes = [data.draw(st.integers(1, extent)) for extent in shape[axis:]]
    offsets = [data.draw(st.integers(0, extent - size)) for extent, size in zip(shape[axis:], sizes)]
    fields = f"axis: {axis} " + " ".join(f"offset: {o}" for o in offsets)
    case = Case(CROP.format(fields), (shape, (*[1] * axis, *sizes)))
    part = (..., *[slice(o, o + s) for o, s in zip(offsets, sizes)])
    check_forward(case, device, lambda x, like: x[part])
    check_gradient(case, device)


@each_device
def test_one_offset_is_for_every_cropped_axis(device):
    case = Case(CROP.format("offset: 1"), ((2, 3, 4, 5), (1, 1, 2, 4)))
    check_forward(case, device, lambda x, like: x[..., 1:3, 1:])


@each_device
def test_gradient_is_zero_outside_and_for_the_shape(device):
    rig = Rig(CASES[0], device)
    x, like = CASES[0].arrays()
    x[..., 0] = np.nan  # outside
    (y,) = rig.forward([x, np.full_like(like, np.nan)])
    np.testing.assert_array_equal(y, x[..., 1:4, 2:])
    (dy,) = rig.seed_tops()
    for blob in rig.bottom:
        device.fill(blob.diff, np.nan)
    (dx, dlike), _ = rig.backward()
    wanted = np.zeros_like(x)
    wanted[..., 1:4, 2:] = dy
    np.testing.assert_array_equal(dx, wanted)
    np.testing.assert_array_equal(dlike, np.zeros_like(like))


@each_device
def test_gradient_of_one_bottom_only(device):
    for wanted in (0, 1):
        rig = Rig(CASES[0], device)
        rig.forward(CASES[0].arrays())
        rig.seed_tops()
        rig.propagate = [i == wanted for i in range(2)]
        device.fill(rig.bottom[1 - wanted].diff, 3)
        rig.backward()
        assert (device.get(rig.bottom[1 - wanted].diff) == 3).all()


def test_the_shape_may_come_from_learnable_layers(cpu):
    """As where scores of two depths are brought to one size."""
    convolution = 'convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } }'
    net = f"""layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 2, 6, 6] }} }} }}
        layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" {convolution} }}
        layer {{ name: "crop" type: "Crop" bottom: "x" bottom: "c" top: "y" crop_param {{ offset: 1 }} }}
        layer {{ name: "sum" type: "Eltwise" bottom: "c" bottom: "y" top: "s" }}
        layer {{ name: "loss" type: "Reduction" bottom: "s" top: "l" loss_weight: 1 }}"""
    net = Net(text.parse(net, NetParameter), phase="TRAIN", device=cpu, seed=1)
    cpu.put(np.ones((1, 2, 6, 6)), net.blobs["x"].data)
    net.forward()
    net.clear_param_diffs()
    net.backward()
    weights = next(layer for layer in net.layers if layer.name == "c").params[0]
    np.testing.assert_allclose(cpu.get(weights.diff), np.full((2, 2, 3, 3), 16.0))


@pytest.mark.parametrize(
    ("shape", "out"),
    [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (2, 2, 4)), ((5, 1, 2, 3, 4, 2, 2), (2, 1, 2, 1, 4, 1, 2))],
)
def test_whole_axes_are_joined(shape, out):
    g = box(shape, out, [0] * len(shape))
    x = np.arange(np.prod(shape)).reshape(shape)
    grid = np.indices(g[:5]).reshape(5, -1)
    places = g.start + np.tensordot([*g[6:], 1], grid, 1)
    np.testing.assert_array_equal(x.ravel()[places], x[tuple(slice(n) for n in out)].ravel())


@pytest.mark.parametrize(
    ("fields", "shapes", "error", "message"),
    [
        ("axis: 4", ((1, 1, 4, 4),) * 2, ShapeError, "axis 4 does not exist"),
        ("", ((1, 1, 4, 4), (1, 4, 4)), ShapeError, r"bottom 1 must have the 4 axes of bottom 0"),
        (
            "axis: 1 offset: 0 offset: 1",
            ((1, 1, 4, 4),) * 2,
            ConfigError,
            "offset must have 1 value or 3, one for each axis from 1 on; got 2",
        ),
        ("", ((1, 1, 4, 4), (1, 1, 4, 5)), ShapeError, "5 from offset 0 on do not fit axis 3"),
        ("offset: 2", ((1, 1, 4, 4), (1, 1, 2, 3)), ShapeError, "3 from offset 2 on do not fit axis 3"),
        ("axis: 0", ((2,) * 6, (1,) * 6), ShapeError, "crops too many axes; hint: crop at most 4"),
    ],
)
def test_refuses(cpu, fields, shapes, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(CROP.format(fields), shapes), cpu)
