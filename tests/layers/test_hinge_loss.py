"""HingeLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels
from ..support.strategies import shapes


def case(shape: tuple, norm: str, rest: str = "") -> Case:
    layer = f'type: "HingeLoss" hinge_loss_param {{ norm: {norm} }} {rest}'
    classes = int(np.prod(shape[1:]))
    return Case(layer, (shape, (shape[0],)), (distinct, labels(classes)))


CASES = [case((5, 3), "L1"), case((5, 6), "L2"), case((4, 2, 3), "L1", "loss_weight: 0.4"), case((3,), "L2")]


@each_device
@given(shape=shapes(), norm=st.sampled_from(["L1", "L2"]))
def test_formula(device, shape, norm):
    def reference(x, t):
        x = x.reshape(len(x), -1)
        sign = np.where(np.arange(x.shape[1]) == t[:, None], -1, 1)
        m = np.maximum(0, 1 + sign * x)
        return np.array((m if norm == "L1" else m**2).sum() / len(x))

    check_forward(case(shape, norm), device, reference)
    check_gradient(case(shape, norm), device)


@each_device
def test_more_items_than_one_partial_sum(device):
    def reference(x, t):
        sign = np.where(np.arange(2) == t[:, None], -1, 1)
        return np.array(np.maximum(0, 1 + sign * x).sum() / 1500)

    check_forward(case((1500, 2), "L1"), device, reference)


@each_device
def test_met_margins_cost_nothing(device):
    rig = Rig(case((2, 3), "L1"), device)
    (loss,) = rig.forward([np.array([[2.0, -2, -3], [-1, 1, -1]]), np.array([0.0, 1])])
    assert loss == 0
    rig.seed_tops()
    assert not rig.backward()[0][0].any()


@each_device
@pytest.mark.parametrize("label", [3, -1, np.nan])
def test_a_label_that_is_no_class(device, label):
    rig = Rig(case((2, 3), "L2"), device)
    with pytest.raises(DataError, match=r"label \S+ at \[1\] of bottom 1 is none of the 3 classes"):
        rig.forward([np.ones((2, 3)), np.array([0, label])])
    assert np.isnan(device.get(rig.top[0].data))


def test_shapes_that_do_not_fit(cpu):
    with pytest.raises(ShapeError, match="bottom 1 must hold 4 labels"):
        Rig(Case('type: "HingeLoss"', ((4, 3), (4, 2))), cpu)


def test_in_place_is_refused():
    source = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 5 dim: 6 } } }
    layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 5 } } }
    layer { name: "loss" type: "HingeLoss" bottom: "x" bottom: "label" top: "x" }
    """
    with pytest.raises(ConfigError, match=r"layer 'loss' \(HingeLoss\): .* in place"):
        Net(text.parse(source, NetParameter))
