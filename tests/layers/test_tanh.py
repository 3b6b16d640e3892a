"""TanH."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [Case('type: "TanH"', ((2, 3, 4, 5),)), Case('type: "TanH" tanh_param { engine: CUDNN }', ((7,),))]


@each_device
@given(shape=shapes(), spread=st.sampled_from([1.0, 1e4]))
def test_formula_and_gradient(device, shape, spread):
    case = Case('type: "TanH"', (shape,), (lambda shape, rng: spread * rng.standard_normal(shape),))
    check_forward(case, device, np.tanh)
    check_gradient(case, device)


@each_device
def test_extremes(device):
    rig = Rig(Case('type: "TanH"', ((5,),)), device)
    (y,) = rig.forward([np.array([np.nan, np.inf, -np.inf, 1e-30, -1e-30])])
    np.testing.assert_array_equal(y, [np.nan, 1, -1, 1e-30, -1e-30])


def test_float32_is_as_good_as_the_library():
    rig = Rig(Case('type: "TanH"', ((5000,),)), make_device("cpu", np.float32))
    for reach in (1e-3, 1, 20):
        x = np.linspace(-reach, reach, 5000, dtype=np.float32)
        np.testing.assert_allclose(rig.forward([x])[0], np.tanh(x.astype(np.float64)), rtol=3e-7)


def chain(second: str) -> NetParameter:
    return text.parse(
        f"""
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
        layer {{ name: "ip" type: "InnerProduct"
                 inner_product_param {{ num_output: 4 }} bottom: "x" top: "y" }}
        layer {{ name: "relu" type: "ReLU" bottom: "y" top: "y" }}
        layer {{ name: "second" type: "{second}" bottom: "y" top: "y" }}
        layer {{ name: "out" type: "Power" bottom: "y" top: "z" loss_weight: 1 }}
        """,
        NetParameter,
    )


def test_in_place_on_a_relu_that_runs_in_place():
    """TanH keeps the sign that ReLU's gradient reads; Sigmoid does not."""
    Net(chain("TanH"), phase="TRAIN", device=CpuDevice(), seed=1)
    with pytest.raises(ConfigError, match="in place on the top of layer 'relu'"):
        Net(chain("Sigmoid"), phase="TRAIN", device=CpuDevice(), seed=1)
