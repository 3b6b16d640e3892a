"""Convolution."""

import numpy as np
import pytest

from ..support.devices import each_device
from ..support.laws import Case, Rig

CONV = 'type: "Convolution" convolution_param {{ {} }}'

CASES = [
    Case(CONV.format("num_output: 4 kernel_size: 3"), ((2, 3, 6, 5),)),
    Case(CONV.format("num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2"), ((2, 4, 7, 6),)),
    Case(CONV.format("num_output: 3 kernel_h: 2 kernel_w: 3 dilation: 2 bias_term: false"), ((1, 2, 7, 8),)),
    Case(CONV.format("num_output: 2 kernel_size: 2 stride: 2 pad: 1"), ((2, 2, 3, 4, 5),)),
    Case(CONV.format("num_output: 5 kernel_size: 3"), ((3, 2, 9),)),
    Case(CONV.format("num_output: 18 kernel_size: 1"), ((2, 17, 5, 7),)),
]

# -- what a net asks of it


class Place:
    """Blobs whose images lie `gap` elements apart, with NaN between them."""

    def __init__(self, device, gap: int) -> None:
        self.device, self.gap = device, gap

    def bind(self, blob) -> None:
        n, size = blob.shape[0], blob.count // blob.shape[0]
        blob.step = size + self.gap
        for name in ("data", "diff"):
            setattr(blob, name, self.device.empty((n * blob.step - self.gap,)))

    def put(self, values, blob, name) -> None:
        n = blob.shape[0]
        host = np.full((n, blob.step), np.nan)
        host[:, : blob.step - self.gap] = values.reshape(n, -1)
        self.device.put(host.reshape(-1)[: n * blob.step - self.gap], getattr(blob, name))

    def get(self, blob, name):
        n = blob.shape[0]
        host = np.concatenate([self.device.get(getattr(blob, name)), np.full(self.gap, np.nan)])
        host = host.reshape(n, -1)
        assert np.isnan(host[:, blob.step - self.gap :]).all()
        return host[:, : blob.step - self.gap].reshape(blob.shape)


@each_device
@pytest.mark.parametrize("case", CASES, ids=str)
def test_relu_images_apart_and_adding(device, case):
    """As the layer alone, with a ReLU of NumPy's behind it and an addition in front."""
    alone, asked = Rig(case, device), Rig(case, device)
    (x,), (before,) = case.arrays(), case.arrays(seed=2)
    (y,) = alone.forward([x])
    (dy,) = alone.seed_tops()
    device.put(np.where(y > 0, dy, 0), alone.top[0].diff)
    (dx,), gradients = alone.backward()

    place, layer, bottom, top = Place(device, 3), asked.layer, asked.bottom[0], asked.top[0]
    layer.relu, layer.adding = True, [True]
    for blob in (bottom, top):
        place.bind(blob)
    layer.arrange(asked.bottom, asked.top)
    place.put(x, bottom, "data")
    place.put(before, bottom, "diff")
    place.put(np.full(y.shape, np.nan), top, "data")
    place.put(dy, top, "diff")
    layer.forward(asked.bottom, asked.top)
    asked.net.clear_param_diffs()
    layer.backward(asked.top, [True], asked.bottom)

    np.testing.assert_array_equal(place.get(top, "data"), np.maximum(y, 0))
    np.testing.assert_array_equal(place.get(top, "diff"), np.where(y > 0, dy, 0))
    np.testing.assert_allclose(place.get(bottom, "diff"), dx + before, rtol=0, atol=1e-12)
    for blob, wanted in zip(layer.params, gradients):
        np.testing.assert_allclose(device.get(blob.diff), wanted, rtol=0, atol=1e-12)


@each_device
@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_a_factor_and_a_summand_per_output(device, case):
    """In place of the layer's own bias."""
    rig = Rig(case, device)
    arrays = case.arrays()
    (y,) = rig.forward(arrays)
    channels = (-1, *[1] * (y.ndim - 2))
    bias = device.get(rig.layer.params[1].data).reshape(channels) if rig.layer.bias else 0
    rng = np.random.default_rng(3)
    hosts = [rng.standard_normal(y.shape[1]) for _ in range(2)]
    factor, summand = rig.layer.fold = [device.empty(host.shape) for host in hosts]
    for host, array in zip(hosts, (factor, summand)):
        device.put(host, array)
    rig.layer.relu = True
    rig.layer.arrange(rig.bottom, rig.top)
    a, b = (host.reshape(channels) for host in hosts)
    np.testing.assert_allclose(rig.forward(arrays)[0], np.maximum(a * (y - bias) + b, 0), atol=1e-12)


def test_images_that_are_not_of_axis_0_cannot_lie_apart(cpu):
    assert Rig(CASES[0], cpu).layer.apart == {"bottom", "top"}
    turned = CONV.format("num_output: 2 kernel_size: 2 axis: 2")
    assert Rig(Case(turned, ((2, 3, 2, 4, 4),)), cpu).layer.apart == frozenset()
