"""Parameter."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, check_forward, check_gradient
from ..support.strategies import shapes


def case(*shape: int) -> Case:
    dims = " ".join(f"dim: {d}" for d in shape)
    return Case(f'type: "Parameter" parameter_param {{ shape {{ {dims} }} }}', ())


CASES = [case(3, 4), case(5), case(2, 3, 1, 2)]

NET = """
layer { name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 2 dim: 3 } } }
layer { name: "loss" type: "Power" bottom: "w" top: "y" power_param { power: 2 } loss_weight: 1 }
"""


@each_device
@given(shape=shapes())
def test_formula(device, shape):
    check_forward(case(*shape), device, lambda w: w)
    check_gradient(case(*shape), device)


def test_it_starts_at_zero_and_gradients_of_several_passes_add_up():
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", seed=1)
    np.testing.assert_array_equal(net.forward()["y"], np.zeros((2, 3)))
    net.params["w"][0].data[...] = 3
    for _ in range(2):
        net.forward()
        net.backward()
    np.testing.assert_array_equal(net.params["w"][0].diff, np.full((2, 3), 12.0))


def test_a_negative_axis_is_refused():
    with pytest.raises(ShapeError, match="negative"):
        Net(text.parse(NET.replace("dim: 3", "dim: -3"), NetParameter))
