"""BatchNorm."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

CASES = [
    Case('type: "BatchNorm" batch_norm_param { eps: 0.01 }', ((4, 3, 2, 5),)),
    Case('type: "BatchNorm" batch_norm_param { eps: 0.1 }', ((6, 3),)),
    Case('type: "BatchNorm" batch_norm_param { use_global_stats: true eps: 0.5 }', ((2, 3, 4),)),
]


def normalized(x, eps):
    axes = (0, *range(2, x.ndim))
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@each_device
@given(shape=shapes(min_rank=2))
def test_formula_and_gradient(device, shape):
    case = Case('type: "BatchNorm" batch_norm_param { eps: 0.125 }', (shape,))
    check_forward(case, device, lambda x, *statistics: normalized(x, 0.125))
    check_gradient(case, device)


@each_device
def test_running_statistics(device):
    rig = Rig(
        Case('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.75 }', ((4, 3, 5),)), device
    )
    rng, wanted = np.random.default_rng(0), [np.zeros(3), np.zeros(3), np.zeros(1)]
    for _ in range(3):
        x = rng.standard_normal((4, 3, 5))
        rig.forward([x])
        added = x.mean((0, 2)), x.var((0, 2), ddof=1), 1
        wanted = [0.75 * w + a for w, a in zip(wanted, added)]
        for blob, w in zip(rig.layer.params, wanted):
            np.testing.assert_allclose(device.get(blob.data), w, rtol=1e-12)


@each_device
def test_global_statistics_are_divided_by_the_factor(device):
    rig = Rig(Case('type: "BatchNorm" batch_norm_param { eps: 0.25 }', ((2, 3),), phase="TEST"), device)
    x = np.random.default_rng(0).standard_normal((2, 3))
    np.testing.assert_allclose(rig.forward([x])[0], x / np.sqrt(0.25))  # no batch seen yet
    means, variances = np.array([1.0, -2.0, 4.0]), np.array([2.0, 4.0, 0.5])
    for blob, values in zip(rig.layer.params, (means, variances, [4.0])):
        device.put(values, blob.data)
    np.testing.assert_allclose(rig.forward([x])[0], (x - means / 4) / np.sqrt(variances / 4 + 0.25))
    assert (device.get(rig.layer.params[0].data) == means).all()


@each_device
def test_a_large_mean_does_not_cancel(device):
    x = 1e6 + np.random.default_rng(0).standard_normal((8, 2, 3))
    rig = Rig(Case('type: "BatchNorm"', ((8, 2, 3),)), device)
    np.testing.assert_allclose(rig.forward([x])[0], normalized(x, 1e-5), atol=1e-8)


NET = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param {
  shape { dim: 4 dim: 2 dim: 3 dim: 3 } shape { dim: 4 dim: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "BN" SPECS }
layer { name: "scale" type: "Scale" bottom: "BN" top: "BN" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "BN" top: "BN" }
layer { name: "ip" type: "InnerProduct" bottom: "BN" top: "ip" inner_product_param { num_output: 1
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }
"""


@pytest.mark.parametrize("specs", ["", "param { lr_mult: 0 }", "param { lr_mult: 1 } param { } param { }"])
def test_statistics_are_never_trained(specs):
    net = Net(text.parse(NET.replace("SPECS", specs).replace("BN", "bn"), NetParameter), phase="TRAIN")
    assert [owned.lr_mult for owned in net.parameters.owned[:3]] == [0, 0, 0]


def test_the_usual_chain_in_place_computes_what_it_computes_apart():
    """BatchNorm, Scale and ReLU in place of x, as in residual nets; and each with a blob of its own."""
    whole = NET.replace("SPECS", "")
    inside = whole.replace('"x"', '"a"').replace("BN", "a")
    apart = whole
    for name in ("normal", "normal", "scaled", "scaled", "rectified", "rectified"):
        apart = apart.replace("BN", name, 1)
    x, gradients = np.random.default_rng(0).standard_normal((4, 2, 3, 3)), []
    for text_of in (inside, apart):
        net = Net(text.parse(text_of, NetParameter), phase="TRAIN", seed=1, keep="needed")
        net.put_inputs({net.inputs[0]: x, "t": np.ones((4, 1))})
        net.forward()
        net.backward()
        gradients.append(net.device.get(net.parameters.diff))
    assert (gradients[0] == gradients[1]).all() and np.count_nonzero(gradients[0]) > 10


def test_a_channel_axis_is_needed(cpu):
    with pytest.raises(ShapeError, match=r"must have a channel axis; its shape is \(4,\)"):
        Rig(Case('type: "BatchNorm"', ((4,),)), cpu)
