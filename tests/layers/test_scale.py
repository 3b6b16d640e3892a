"""Scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import broadcasts

FILLERS = 'filler { type: "uniform" min: 0.5 max: 2 } bias_filler { type: "uniform" min: -1 max: 1 }'

CASES = [
    Case(f'type: "Scale" scale_param {{ {FILLERS} }}', ((2, 3, 4, 5),)),
    Case(f'type: "Scale" scale_param {{ bias_term: true {FILLERS} }}', ((2, 3, 4, 5),)),
    Case(f'type: "Scale" scale_param {{ axis: 1 num_axes: -1 {FILLERS} }}', ((1, 3),)),
    Case(f'type: "Scale" scale_param {{ num_axes: 0 bias_term: true {FILLERS} }}', ((4, 3),)),
    Case('type: "Scale" scale_param { axis: 0 }', ((2, 3, 4), (2, 3))),
    Case('type: "Scale" scale_param { axis: 0 bias_term: true }', ((2, 3), (2,))),
    Case('type: "Scale"', ((2, 3), ())),
]


@each_device
@given(broadcast=broadcasts(), second=st.booleans(), bias=st.booleans())
def test_formula_and_gradient(device, broadcast, second, bias):
    shape, first, last = broadcast
    operand, tail = shape[first:last], [1] * (len(shape) - last)
    conf = f"axis: {first} num_axes: {last - first} bias_term: {str(bias).lower()} {FILLERS}"
    case = Case(f'type: "Scale" scale_param {{ {conf} }}', (shape, operand) if second else (shape,))

    def reference(x, s, b=0.0):
        return x * np.reshape(s, (*operand, *tail)) + (np.reshape(b, (*operand, *tail)) if bias else 0)

    check_forward(case, device, reference)
    check_gradient(case, device)


def net(conf: str, shape=(2, 3, 4)) -> Net:
    dims = " ".join(f"dim: {d}" for d in shape)
    layers = f"""
      layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
      layer {{ name: "scale" type: "Scale" bottom: "x" top: "x" scale_param {{ {conf} }} }}"""
    return Net(text.parse(layers, NetParameter), seed=1)


def test_without_fillers_it_changes_nothing():
    x = np.random.default_rng(0).standard_normal((2, 3, 4), dtype=np.float32)
    np.testing.assert_array_equal(net("bias_term: true").forward(x=x)["x"], x)


def test_a_gradient_of_a_batch_of_one_adds_up(cpu):
    """Where Caffe overwrites it."""
    rig = Rig(Case('type: "Scale"', ((1, 3),)), cpu)
    rig.forward([np.ones((1, 3))])
    rig.seed_tops()
    once = rig.backward()[1][0]
    rig.layer.backward(rig.top, rig.propagate, rig.bottom)
    np.testing.assert_allclose(rig.device.get(rig.layer.params[0].diff), 2 * once)


@pytest.mark.parametrize(
    ("conf", "error", "message"),
    [
        ("num_axes: 3", ShapeError, r"axis 1 and num_axes 3 reach beyond bottom 0, \(2, 3, 4\)"),
        ("axis: 3", ShapeError, "axis 3 does not exist"),
        ("num_axes: -2", ConfigError, "num_axes must be at least -1; got -2"),
    ],
)
def test_axes_that_do_not_exist(conf, error, message):
    with pytest.raises(error, match=f"layer 'scale'.*{message}"):
        net(conf)


def test_operands_that_do_not_fit(cpu):
    with pytest.raises(
        ShapeError, match=r"bottom 1 of shape \(2,\) does not fit bottom 0, \(2, 3\), from axis 1"
    ):
        Rig(Case('type: "Scale"', ((2, 3), (2,))), cpu)
    with pytest.raises(ShapeError, match=r"has the shape \(3,\); bottom 0 now asks for \(5,\)"):
        net("").forward(x=np.zeros((2, 5, 4)))
