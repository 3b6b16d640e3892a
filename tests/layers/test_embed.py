"""Embed."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, labels
from ..support.strategies import shapes


def embed(shape: tuple, rows: int, length: int, bias: bool = True) -> Case:
    fields = f"input_dim: {rows} num_output: {length} bias_term: {str(bias).lower()}"
    return Case(f'type: "Embed" embed_param {{ {fields} }}', (shape,), (labels(rows),))


CASES = [
    embed((4,), 3, 5),
    embed((2, 6), 4, 2, bias=False),
    embed((3, 2, 2), 1, 1),
    embed((5, 3, 1, 2), 40, 7),
]


def reference(t, weights, bias=0.0):
    return weights[t.astype(int)] + bias


@each_device
@given(shape=shapes(), rows=st.integers(1, 6), length=st.integers(1, 5), bias=st.booleans())
def test_formula(device, shape, rows, length, bias):
    case = embed(shape, rows, length, bias)
    check_forward(case, device, reference)
    check_gradient(case, device)


@each_device
def test_gradients_add_up_by_row(device):
    rig = Rig(embed((4,), 3, 2), device)
    (y,) = rig.forward([np.array([2.0, 0.9, 2, 2.5])])  # cut to whole numbers
    weights, bias = (device.get(p.data) for p in rig.layer.params)
    np.testing.assert_allclose(y, weights[[2, 0, 2, 2]] + bias)
    device.put(np.array([[1.0, 2], [4, 8], [16, 32], [64, 128]]), rig.top[0].diff)
    _, (dw, db) = rig.backward()
    np.testing.assert_array_equal(dw, [[4, 8], [0, 0], [81, 162]])
    np.testing.assert_array_equal(db, [85, 170])


@each_device
def test_a_scalar_index(device):
    check_forward(embed((), 3, 2), device, reference)


@each_device
def test_many_indices_of_long_vectors(device):
    """More than a block of threads has, in both directions."""
    check_forward(embed((700,), 5, 300), device, reference)
    rig = Rig(embed((700,), 5, 300), device)
    (t,) = rig.case.arrays()
    rig.forward([t])
    (dy,) = rig.seed_tops()
    _, (dw, _) = rig.backward()
    np.testing.assert_allclose(dw, np.stack([dy[t == r].sum(0) for r in range(5)]), rtol=1e-9, atol=1e-9)


def test_gradients_are_the_same_bits_for_any_number_of_threads():
    """Also on the GPU's half, where blocks take turns: all in float32, where order shows."""
    case, results = embed((500,), 3, 33), []
    before = numba.get_num_threads()
    try:
        for name, threads in [("cpu", 1), ("cpu", 2), ("python", 1), ("cuda-emulated", 1)]:
            numba.set_num_threads(min(threads, before))
            rig = Rig(case, make_device(name, np.float32))
            rig.forward(case.arrays())
            rig.seed_tops()
            results.append(rig.backward()[1][0])
    finally:
        numba.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


@each_device
@pytest.mark.parametrize("index", [3, -1, 1e20, np.nan, np.inf])
def test_an_index_that_is_no_row(device, index):
    rig = Rig(embed((2, 2), 3, 2), device)
    good = np.ones((2, 2))
    bad = np.array([[0, 1], [index, index]])
    with pytest.raises(DataError, match=r"index \S+ at \[1, 0\] of bottom 0 is none of the 3 rows") as caught:
        rig.forward([bad])
    assert "input_dim" in str(caught.value)
    y = device.get(rig.top[0].data)
    assert np.isnan(y[1]).all() and np.isfinite(y[0]).all()
    rig.seed_tops()
    _, (dw, _) = rig.backward()  # it adds to no row
    np.testing.assert_allclose(dw[:2], device.get(rig.top[0].diff)[0], rtol=1e-6)
    assert (dw[2] == 0).all()
    assert np.isfinite(rig.forward([good])[0]).all()  # forgotten


@each_device
def test_just_below_zero_is_row_zero(device):
    """Numbers are cut towards zero, as in Caffe."""
    rig = Rig(embed((2,), 3, 2, bias=False), device)
    (y,) = rig.forward([np.array([-0.5, 1.7])])
    np.testing.assert_array_equal(y, device.get(rig.layer.params[0].data)[[0, 1]])


@pytest.mark.parametrize("field", ["num_output", "input_dim"])
def test_refuses_fields(cpu, field):
    other = {"num_output": "input_dim", "input_dim": "num_output"}[field]
    with pytest.raises(ConfigError, match=f"embed_param.{field} must be at least 1"):
        Rig(Case(f'type: "Embed" embed_param {{ {other}: 3 }}', ((2,),)), cpu)


def test_an_index_that_is_learned_is_refused(cpu):
    layers = """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "x" top: "t" inner_product_param { num_output: 1 } }
        layer { name: "embed" type: "Embed" bottom: "t" top: "y" embed_param { input_dim: 3 num_output: 2 } }
        layer { name: "sum" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
    """
    with pytest.raises(ConfigError, match="bottom 0 't' needs a gradient; Embed has none"):
        Net(text.parse(layers, NetParameter), phase="TRAIN", device=cpu)
