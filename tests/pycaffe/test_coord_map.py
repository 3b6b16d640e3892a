"""caffe.coord_map: maps of layers, their algebra, and Crop layers made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import MiniCaffeError
from minicaffe.net import Net
from minicaffe.pycaffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    coord_map,
    coord_map_from_to,
    crop,
    inverse,
)
from minicaffe.pycaffe.net_spec import NetSpec
from minicaffe.pycaffe.net_spec import layers as L
from minicaffe.pycaffe.net_spec import params as P

small = st.integers(1, 6)


def up_and_down(ks=3, stride=1, pad=0, pool=2, dstride=2, dpad=0):
    """Convolution, pooling, and a deconvolution that takes the pooling back."""
    n = NetSpec()
    n.data = L.Input(shape={"dim": [2, 1, 100, 100]})
    n.conv = L.Convolution(n.data, num_output=10, kernel_size=ks, stride=stride, pad=pad)
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=pool, stride=pool, pad=0)
    kernel = [2 * s for s in dstride] if isinstance(dstride, list) else 2 * dstride
    conf = {"num_output": 10, "kernel_size": kernel, "stride": dstride, "pad": dpad}
    n.deconv = L.Deconvolution(n.pool, convolution_param=conf)
    return n


def as_numbers(found):
    axis, a, b = found
    return axis, np.asarray(a).tolist(), np.asarray(b).tolist()


@pytest.mark.parametrize("pool, shift", [(2, 0), (4, -1)])
def test_there_and_back(pool, shift):
    n = up_and_down(pool=pool, dstride=pool)
    assert as_numbers(coord_map_from_to(n.deconv, n.data)) == (1, [1], [shift])


@given(ks=small, stride=small, pad=small, dilation=small)
def test_centres_of_windows(ks, stride, pad, dilation):
    """Output i looks at stride i - pad ... stride i - pad + dilation (k - 1): the centre maps to i."""
    fn = L.Convolution(L.Input(), kernel_size=ks, stride=stride, pad=pad, dilation=dilation).fn
    axis, a, b = coord_map(fn)
    outputs = np.arange(5)
    centres = stride * outputs - pad + dilation * (ks - 1) / 2
    assert axis == 1 and np.allclose(a * centres + b, outputs)
    conf = {"kernel_size": ks, "stride": stride, "pad": pad, "dilation": dilation}
    forth, back = (
        coord_map(L.Im2col(L.Input(), convolution_param=conf).fn),
        coord_map(L.Deconvolution(L.Input(), convolution_param=conf).fn),
    )
    assert all(np.allclose(x, y) for x, y in zip(inverse(forth)[1:], back[1:]))


@given(pad=st.integers(0, 10))
def test_padding(pad):
    def shift(**settings):
        n = up_and_down(**settings)
        return coord_map_from_to(n.deconv, n.data)[2]

    assert shift(pad=pad) == shift() - pad and shift(dpad=pad) == shift() + pad
    assert shift(pad=pad, dpad=pad) == shift()


def test_layers_element_by_element_change_nothing():
    n = up_and_down()
    expected = coord_map_from_to(n.deconv, n.data)
    n.relu = L.ReLU(n.deconv)
    n.conv1x1 = L.Convolution(n.relu, num_output=10, kernel_size=1)
    assert coord_map_from_to(n.relu, n.data) == expected == coord_map_from_to(n.conv1x1, n.data)


def test_two_convolutions_are_a_larger_one():
    n = NetSpec()
    n.data = L.Input()
    n.two = L.Convolution(L.Convolution(n.data, kernel_size=3), kernel_size=3)
    n.one = L.Convolution(n.data, kernel_size=5)
    assert as_numbers(coord_map_from_to(n.two, n.data)) == as_numbers(coord_map_from_to(n.one, n.data))
    assert as_numbers(coord_map_from_to(n.one, n.two)) == (1, [1], [0])  # by way of data, which neither is


def test_axes_of_their_own():
    n = up_and_down(ks=[3, 5], stride=[1, 2], pad=[0, 10])
    axis, a, b = coord_map_from_to(n.deconv, n.data)
    for i, settings in enumerate([{"ks": 3}, {"ks": 5, "stride": 2, "pad": 10}]):
        alone = up_and_down(**settings)
        assert (axis, a[i], b[i]) == coord_map_from_to(alone.deconv, alone.data)


def test_three_axes():
    data = L.Input(shape={"dim": [2, 3, 100, 100, 100]})
    conv = L.Convolution(data, num_output=10, kernel_size=[3, 3, 3], pad=[0, 1, 2])
    axis, a, b = coord_map_from_to(conv, data)
    assert axis == 1 and np.all(a == 1) and b.tolist() == [1, 0, -1]


def test_crop_of_crop():
    n = up_and_down()
    before = coord_map_from_to(n.deconv, n.data)
    n.crop = L.Crop(n.deconv, n.data, axis=2, offset=3)
    assert as_numbers(coord_map_from_to(n.crop, n.data)) == (1, [1], [before[2][0] + 3])
    n.crop2 = L.Crop(n.deconv, n.data, crop_param={"offset": [1, 2]})
    assert as_numbers(coord_map_from_to(n.crop2, n.data)) == (1, [1], [1, 2])


def test_several_bottoms():
    a, b = L.Input(), L.Input()
    x, y = L.Convolution(a, b, kernel_size=5, stride=2, ntop=2)
    assert as_numbers(coord_map_from_to(x, a)) == as_numbers(coord_map_from_to(y, b))


def test_a_diamond_of_many_paths_is_walked_once():
    data = L.Input()
    top = data
    for _ in range(60):  # 2**60 paths
        top = L.Eltwise(top, top)
    assert coord_map_from_to(top, data) == (None, 1, 0)


def test_crop_makes_what_fits():
    n = up_and_down(pad=10)
    layer = crop(n.deconv, n.data)
    assert layer.fn.type_name == "Crop" and layer.fn.params == {"crop_param": {"axis": 2, "offset": [10]}}
    n.deconv.fn.params["convolution_param"]["weight_filler"] = {"type": "constant"}
    n.crop = layer
    net = Net(n.to_proto(), phase="TEST", allocate=False)
    assert net.blobs["crop"].shape == (2, 10, 100, 100)


def test_crop_behind_element_wise_layers():
    data = L.Input()
    assert crop(L.ReLU(data), data).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


def test_the_algebra():
    there = (1, np.array([0.5]), np.array([3.0]))
    assert as_numbers(compose(there, inverse(there))) == (1, [1], [0])
    assert compose((None, 1, 0), there) == there == compose(there, (None, 1, 0))
    with pytest.raises(AxisMismatchException, match="after axis 1 in one layer, 2 in another"):
        compose((1, 1, 0), (2, 1, 0))
    with pytest.raises(UndefinedMapException, match="InnerProduct does not map coordinates"):
        coord_map(L.InnerProduct(L.Input()).fn)
    with pytest.raises(UndefinedMapException, match="Pooling has no kernel_size"):
        coord_map(L.Pooling(L.Input(), global_pooling=True).fn)


@pytest.mark.parametrize(
    "settings, complaint",
    [
        ({"pool": 3, "dstride": 2}, r"scale mismatch on crop \(a = \[1\.5\]\)"),
        ({"dpad": 10}, r"cannot crop negative offset \(b = \[10\.\]\)"),
        ({"ks": 2}, r"cannot crop noninteger offset \(b = \[-0\.5\]\)"),
    ],
)
def test_crops_that_cannot_be(settings, complaint):
    n = up_and_down(**settings)
    with pytest.raises(AssertionError, match=complaint) as error:
        crop(n.deconv, n.data)
    assert isinstance(error.value, MiniCaffeError)


def test_unconnected():
    n = up_and_down()
    n.ip = L.InnerProduct(n.deconv, num_output=10)
    with pytest.raises(
        RuntimeError, match="Could not compute map between tops; are they connected by spatial"
    ):
        coord_map_from_to(n.ip, n.data)


@pytest.mark.parametrize("where", ["own", "message"])
def test_sizes_by_height_and_width(where):
    sizes = {"kernel_h": 3, "kernel_w": 5}
    fields = sizes if where == "own" else {"convolution_param": sizes}
    with pytest.raises(AssertionError, match="cropping does not support kernel_h; hint: give kernel_size"):
        coord_map(L.Convolution(L.Input(), **fields).fn)
