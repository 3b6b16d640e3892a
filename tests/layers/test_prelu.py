"""PReLU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

SLOPES = 'prelu_param { filler { type: "uniform" min: -0.5 max: 0.5 } }'
SHARED = 'prelu_param { channel_shared: true filler { type: "constant" value: 0.125 } }'

CASES = [
    Case(f'type: "PReLU" {SLOPES}', ((2, 3, 4, 5),)),
    Case(f'type: "PReLU" {SHARED}', ((3, 5, 2),)),
    Case('type: "PReLU"', ((4, 3),)),
]


@each_device
@given(shape=shapes(min_rank=2), conf=st.sampled_from([SLOPES, SHARED, ""]))
def test_formula_and_gradient(device, shape, conf):
    case = Case(f'type: "PReLU" {conf}', (shape,))

    def reference(x, slopes):
        return np.where(x > 0, x, slopes.reshape(-1, *[1] * (len(shape) - 2)) * x)

    check_forward(case, device, reference)
    check_gradient(case, device)


@pytest.mark.parametrize(
    ("conf", "shape", "value"), [(SHARED, (), 0.125), ("", (3,), 0.25)], ids=["shared", "per channel"]
)
def test_slopes(conf, shape, value):
    net = f"""
      layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 dim: 4 }} }} }}
      layer {{ name: "prelu" type: "PReLU" bottom: "x" top: "x" {conf} }}"""
    (slopes,) = Net(text.parse(net, NetParameter)).params["prelu"]
    assert slopes.shape == shape and (slopes.data == value).all()


def test_a_channel_axis_is_needed_and_stays(cpu):
    with pytest.raises(ShapeError, match=r"must have a channel axis; its shape is \(4,\)"):
        Rig(Case('type: "PReLU"', ((4,),)), cpu)
    rig = Rig(Case('type: "PReLU"', ((2, 3),)), cpu)
    rig.bottom[0].reshape(2, 4)
    with pytest.raises(ShapeError, match="4 channels; there are 3 slopes"):
        rig.layer.reshape(rig.bottom, rig.top)
