"""BatchNorm."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.kernels import activation
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
    Case('type: "BatchNorm" batch_norm_param { update_global_stats: false eps: 0.5 }', ((2, 3, 4),)),
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
@pytest.mark.parametrize(("phase", "said", "follow"), [
    ("TRAIN", "true", True), ("TRAIN", "false", False), ("TEST", "true", False), ("TEST", "false", False),
])  # fmt: skip
def test_update_global_stats(device, phase, said, follow):
    """The moments are those of the batch all the same."""
    text = f"update_global_stats: {said} use_global_stats: false eps: 0.25"
    case = Case(f'type: "BatchNorm" batch_norm_param {{ {text} }}', ((4, 3, 5),), phase=phase)
    rig, (x,) = Rig(case, device), case.arrays()
    np.testing.assert_allclose(rig.forward([x])[0], normalized(x, 0.25), rtol=1e-9, atol=1e-9)
    factor = device.get(rig.layer.params[2].data)
    assert (factor == [1 if follow else 0]).all()
    assert follow == bool(device.get(rig.layer.params[1].data).all())


def test_moments_of_all_do_not_follow_a_batch(cpu):
    text = 'type: "BatchNorm" batch_norm_param { update_global_stats: true use_global_stats: true }'
    with pytest.raises(ConfigError, match="has two meanings in forks of Caffe; hint: remove one"):
        Rig(Case(text, ((4, 3),)), cpu)
    Rig(Case(text, ((4, 3),), phase="TEST"), cpu)


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


TEST_OF_AFFINE = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 5 } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "BN" batch_norm_param { FIELDS eps: 0.125 } }
layer { name: "scale" type: "Scale" bottom: "BN" top: "y" scale_param { bias_term: BIAS
  filler { type: "uniform" min: -1 max: 1 } bias_filler { type: "uniform" min: -1 max: 1 } } }
force_backward: true
"""


@each_device
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", ["true", "false"])
@pytest.mark.parametrize("fields", ["", "use_global_stats: true"])
@pytest.mark.parametrize("in_place", [False, True])
def test_with_an_affine_scale_it_is_both_layers(device, fields, bias, relu, in_place):
    """And with a ReLU all three: tops, gradients of x and of the Scale, and the running statistics."""
    described = TEST_OF_AFFINE.replace("FIELDS", fields).replace("BIAS", bias)
    described = described.replace("BN", "x" if in_place else "bn")
    described = described.replace('"y"', '"x"') if in_place else described
    x, dy = np.random.default_rng(0).standard_normal((2, 4, 3, 5))
    results = []
    for joined in (False, True):
        net = Net(text.parse(described, NetParameter), phase="TRAIN", device=device, seed=1)
        _, bn, scale = net.layers
        device.put([0.5, -1, 2], bn.params[0].data)
        device.put([2, 0.5, 1], bn.params[1].data)
        device.put([2], bn.params[2].data)
        net.clear_param_diffs()
        (bottom,), (middle,), (top,) = net.bottoms[1], net.tops[1], net.tops[2]
        if joined:
            one = bn.absorb(scale, True)
            if fields and in_place:
                assert one is None  # x is gone
                return
            one.relu = relu
        device.put(x, bottom.data)
        out = middle if joined else top
        for layer, down, up in (
            [(one, bottom, out)] if joined else [(bn, bottom, middle), (scale, middle, top)]
        ):
            layer.forward([down], [up])
        neuron = device.bind(activation)
        if relu and not joined:
            neuron.relu_forward(out.data, out.data, 0)
        y = device.get(out.data)
        device.put(dy, out.diff)
        if relu and not joined:
            neuron.relu_backward(out.data, out.diff, out.diff, 0)
        if not joined:
            scale.backward([top], [True], [middle])
        (one if joined else bn).backward([out if joined else middle], [True], [bottom])
        diffs = [device.get(blob.diff) for blob in [bottom, *scale.params]]
        results.append([y, *diffs, *[device.get(blob.data) for blob in bn.params]])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert relu == bool((y >= 0).all())


@pytest.mark.parametrize("blob", ["x", "bn"])
def test_a_net_runs_the_chain_as_one_step(cpu, blob):
    """Twice: the running statistics and the second pass too are those of the layers one by one."""
    described = text.parse(NET.replace("SPECS", "").replace("BN", blob), NetParameter)
    rng, gradients = np.random.default_rng(0), []
    batches = [(rng.standard_normal((4, 2, 3, 3)), rng.standard_normal((4, 1))) for _ in range(2)]
    for passes in ((), ("absorb", "epilogue")):
        net = Net(described, phase="TRAIN", seed=1, keep="needed", device=cpu, passes=passes)
        for x, t in batches:
            net.put_inputs({"x": x, "t": t})
            net.stage()
            net.run_forward()
            net.run_backward()
        gradients += [net.parameters.data.copy(), net.parameters.diff.copy()]
    for one, other in zip(gradients[:2], gradients[2:]):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert [step.layer.name for step in net.program.steps][-3:] == ["bn + scale", "ip", "loss"]


@each_device
def test_folded_it_is_a_line(device):
    described = TEST_OF_AFFINE.replace("FIELDS", "").replace("BIAS", "true").replace("BN", "bn")
    net = Net(text.parse(described, NetParameter), phase="TEST", device=device, seed=1)
    _, bn, scale = net.layers
    x = np.random.default_rng(0).standard_normal((4, 3, 5))
    for factor in (2, 0):
        for blob, values in zip(bn.params, ([0.5, -1, 2], [2, 0.5, 1], [factor])):
            device.put(values, blob.data)
        y = net.forward(x=x)["y"]
        a, b = (device.get(array)[:, None] for array in bn.folded(scale))
        np.testing.assert_allclose(a * x + b, y, rtol=1e-10, atol=1e-12)
        bias = device.zeros((3,))
        device.put([1, 2, 3], bias)
        a, b = (device.get(array)[:, None] for array in bn.folded(scale, bias))
        np.testing.assert_allclose(a * (x - [[1], [2], [3]]) + b, y, rtol=1e-10, atol=1e-12)
        a, b = (device.get(array)[:, None] for array in bn.folded())
        np.testing.assert_allclose(a * x + b, device.get(net.blobs["bn"].data), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("conf", ["axis: 0", "axis: 2", "num_axes: 0", "num_axes: 2"])
def test_absorbs_no_scale_with_other_axes(cpu, conf):
    described = TEST_OF_AFFINE.replace("FIELDS", "").replace("bias_term: BIAS", conf).replace("BN", "bn")
    net = Net(text.parse(described, NetParameter), phase="TRAIN", device=cpu, seed=1)
    _, bn, scale = net.layers
    assert bn.absorb(scale, False) is None and bn.absorb(bn, False) is None


def test_a_channel_axis_is_needed(cpu):
    with pytest.raises(ShapeError, match=r"must have a channel axis; its shape is \(4,\)"):
        Rig(Case('type: "BatchNorm"', ((4,),)), cpu)
