"""Threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward
from ..support.strategies import shapes

CASES = [
    Case('type: "Threshold"', ((2, 3, 4, 5),), gradient=False),
    Case('type: "Threshold" threshold_param { threshold: 0.5 }', ((7,),), gradient=False),
]


@each_device
@given(shape=shapes(), threshold=st.sampled_from([0.0, 0.25, -1.0]))
def test_formula(device, shape, threshold):
    case = Case(f'type: "Threshold" threshold_param {{ threshold: {threshold} }}', (shape,), gradient=False)
    check_forward(case, device, lambda x: (x > threshold).astype(float))


@each_device
def test_the_bound_itself_is_not_above_it(device):
    rig = Rig(Case('type: "Threshold" threshold_param { threshold: 2 }', ((4,),), gradient=False), device)
    (y,) = rig.forward([np.array([2.0, np.inf, -np.inf, np.nan])])
    np.testing.assert_array_equal(y, [0, 1, 0, 0])


def test_no_gradient_passes_it():
    net = """
      layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
      layer { name: "step" type: "Threshold" bottom: "ip" top: "step" }
      layer { name: "loss" type: "EuclideanLoss" bottom: "step" bottom: "x" top: "loss" }"""
    with pytest.raises(ConfigError, match=r"layer 'step'.*needs a gradient"):
        Net(text.parse(net, NetParameter), phase="TRAIN")
