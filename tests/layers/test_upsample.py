"""Upsample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct


def places(size: int):
    """A mask: for every value of a plane another place below `size`."""

    def make(shape, rng) -> np.ndarray:
        planes = [rng.permutation(size)[: shape[2] * shape[3]] for _ in range(shape[0] * shape[1])]
        return np.array(planes, np.float64).reshape(shape)

    return make


def masked(fields: str, shape: tuple, size: int) -> Case:
    layer = f'type: "Upsample" upsample_param {{ {fields} }}'
    return Case(layer, (shape, shape), (distinct, places(size)))


def repeated(scale: int, *shape: int) -> Case:
    return Case(f'type: "Upsample" upsample_param {{ scale: {scale} }}', (shape,))


CASES = [
    masked("upsample_h: 5 upsample_w: 4", (2, 3, 3, 2), 20),
    masked("scale: 2 pad_out_w: true", (1, 2, 2, 3), 20),
    masked("scale_h: 1 scale_w: 3", (2, 1, 3, 2), 18),
    repeated(3, 2, 2, 3, 2),
]


def put(x, mask, oh, ow):
    y = np.zeros((*x.shape[:2], oh * ow))
    for n, c in np.ndindex(x.shape[:2]):
        for value, place in zip(x[n, c].ravel(), mask[n, c].ravel()):
            y[n, c, int(place)] = value
    return y.reshape(*x.shape[:2], oh, ow)


@each_device
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans())
def test_with_a_mask(device, c, h, w, less_h, less_w):
    oh, ow = 2 * h - less_h, 2 * w - less_w
    flags = f"pad_out_h: {less_h} pad_out_w: {less_w}".lower()
    one = masked(flags, (2, c, h, w), oh * ow)
    check_forward(one, device, lambda x, mask: put(x, mask, oh, ow), rtol=0)
    check_gradient(one, device, directions=1)


@each_device
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_without_a_mask_it_repeats(device, scale, h, w):
    one = repeated(scale, 2, 2, h, w)
    check_forward(one, device, lambda x: x.repeat(scale, 2).repeat(scale, 3), rtol=0)
    check_gradient(one, device, directions=1)


@each_device
def test_of_several_values_the_last_stays(device):
    rig = Rig(Case('type: "Upsample"', ((1, 1, 20, 50),) * 2), device)
    x = np.arange(1000.0).reshape(1, 1, 20, 50)
    mask = np.random.default_rng(0).integers(0, 100, x.shape).astype(np.float64)
    (y,) = rig.forward([x, mask])
    np.testing.assert_array_equal(y, put(x, mask, 40, 100))


NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 5 } } }
layer { name: "pool" type: "Pooling" bottom: "x" top: "y" top: "mask" pooling_param {
  pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Upsample" bottom: "y" bottom: "mask" top: "z" upsample_param {
  scale: 2 upsample_h: 7 upsample_w: 5 } }
force_backward: true
"""


@each_device
def test_with_the_mask_of_a_pooling_layer(device):
    """As SegNet has them: the maxima return to where they stood, and their gradients with them."""
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", device=device)
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5))
    z = net.forward(x=x)["z"]
    there = z != 0
    assert there.sum() == 2 * 3 * 4 * 3 and (z[there] == x[there]).all()
    dz = np.random.default_rng(1).standard_normal(z.shape)
    device.put(dz, net.blobs["z"].diff)
    net.backward()
    np.testing.assert_array_equal(device.get(net.blobs["x"].diff), np.where(there, dz, 0))


@each_device
@pytest.mark.parametrize("place", [-1, 16, np.nan, 1e12])
def test_a_place_outside_of_the_plane(device, place):
    rig = Rig(Case('type: "Upsample"', ((1, 2, 2, 2),) * 2), device)
    x, mask = np.ones((1, 2, 2, 2)), np.arange(8.0).reshape(1, 2, 2, 2)
    mask[0, 1, 0, 1] = place
    message = r"at \[0, 1, 0, 1\] of bottom 1, the mask, is none of the 16 places of a plane of 4 x 4"
    with pytest.raises(DataError, match=message):
        rig.forward([x, mask])
    assert device.get(rig.top[0].data).sum() == 7
    (dx, _), _ = rig.backward()
    assert dx[0, 1, 0, 1] == 0
    mask[0, 1, 0, 1] = 0
    rig.forward([x, mask])


@pytest.mark.parametrize(
    ("fields", "shapes", "error", "message"),
    [
        ("upsample_h: 4", 2, ConfigError, r"must both be above 1; got \(4, 0\)"),
        ("scale_h: 2", 2, ConfigError, "must have scale, or both scale_h and scale_w"),
        ("scale: 2 scale_h: 2 scale_w: 2", 2, ConfigError, "must have scale, or both scale_h and scale_w"),
        ("scale: 0", 2, ConfigError, "scale must be at least 1; got 0"),
        ("scale: 3 pad_out_h: true", 2, ConfigError, "pad_out_h is for a scale of 2; got 3"),
        ("upsample_h: 4 upsample_w: 4", 1, ConfigError, "upsample_param.upsample_h is not supported"),
        ("", 3, ShapeError, r"the mask, must have the shape of bottom 0, \(1, 1, 2, 2\); got \(1, 1, 2, 3\)"),
        ("", 0, ShapeError, "must have 4 axes"),
    ],
)
def test_refuses(cpu, fields, shapes, error, message):
    x = (1, 1, 2, 2)
    bottoms = {0: ((2, 2),), 1: (x,), 2: (x, x), 3: (x, (1, 1, 2, 3))}[shapes]
    with pytest.raises(error, match=message):
        Rig(Case(f'type: "Upsample" upsample_param {{ {fields} }}', bottoms), cpu)
