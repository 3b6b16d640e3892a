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
