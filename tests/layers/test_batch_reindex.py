"""BatchReindex."""

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

LAYER = 'type: "BatchReindex"'


def case(shape: tuple, picks: int) -> Case:
    return Case(LAYER, (shape, (picks,)), (distinct, labels(shape[0])))


CASES = [case((5, 2, 3), 2), case((3, 4), 7), case((1, 2, 2, 2), 3), case((4,), 4)]


@each_device
@given(shape=shapes(), picks=st.integers(1, 6))
def test_formula(device, shape, picks):
    check_forward(case(shape, picks), device, lambda x, t: x[t.astype(int)])
    check_gradient(case(shape, picks), device)


@each_device
def test_gradients_add_up_and_are_zero_for_items_left_out(device):
    rig = Rig(case((3, 2), 3), device)
    x = np.arange(6.0).reshape(3, 2)
    (y,) = rig.forward([x, np.array([2.0, 0.9, 2])])
    np.testing.assert_array_equal(y, x[[2, 0, 2]])
    dy = np.array([[1.0, 2], [4, 8], [16, 32]])
    device.put(dy, rig.top[0].diff)
    device.fill(rig.bottom[0].diff, np.nan)
    (dx, _), _ = rig.backward()
    np.testing.assert_array_equal(dx, [[4, 8], [0, 0], [17, 34]])


@each_device
def test_many_picks(device):
    check_forward(case((7, 2), 1000), device, lambda x, t: x[t.astype(int)])


@each_device
@pytest.mark.parametrize("index", [3, -1, 1e20, np.nan, np.inf])
def test_an_index_that_is_no_item(device, index):
    rig = Rig(case((3, 2), 3), device)
    x = np.ones((3, 2))
    with pytest.raises(DataError, match=r"index \S+ at \[1\] of bottom 1 is none of the 3 items of bottom 0"):
        rig.forward([x, np.array([0, index, index])])
    np.testing.assert_array_equal(device.get(rig.top[0].data), [[1, 1], [np.nan] * 2, [np.nan] * 2])
    rig.forward([x, np.zeros(3)])


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"bottom 1 must have one axis, that of the picks; got \(2, 1\)"):
        Rig(Case(LAYER, ((3, 2), (2, 1))), cpu)
    with pytest.raises(ShapeError, match="axis 0 does not exist"):
        Rig(Case(LAYER, ((), (2,))), cpu)


def test_indices_have_no_gradient(cpu):
    net = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 2] } } }
        layer { name: "p" type: "InnerProduct" bottom: "x" top: "p" inner_product_param { num_output: 2 } }
        layer { name: "t" type: "Reduction" bottom: "p" top: "t" reduction_param { axis: 1 } }
        layer { name: "y" type: "BatchReindex" bottom: "x" bottom: "t" top: "y" }
        layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }"""
    with pytest.raises(ConfigError, match="bottom 1 't' needs a gradient; BatchReindex has none"):
        Net(text.parse(net, NetParameter), phase="TRAIN", device=cpu, seed=1)
