"""BN, of SegNet's kind and of PSPNet's."""

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
from ..support.strategies import shapes


def case(fields: str, *shape: int, tops: int = 1, phase: str = "TRAIN", rest: str = "") -> Case:
    return Case(f'type: "BN" bn_param {{ {fields} }} {rest}', (shape,), tops=tops, phase=phase)


CASES = [
    case("eps: 0.01", 4, 3, 2, 5),
    case("momentum: 0.5 eps: 0.25", 3, 2, 4, phase="TEST"),
    case("frozen: true eps: 0.5", 2, 3, 4),
    case("scale_filler { value: 2 }", 6, 3),
    case("bn_mode: LEARN", 3, 2, 2, 3, tops=3),
    case("bn_mode: INFERENCE", 2, 3, 4, 2),
]


def normalized(x, eps):
    axes = (0, *range(2, x.ndim))
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def channels(values, x):
    return np.reshape(values, (1, -1, *[1] * (x.ndim - 2)))


@each_device
@given(shape=shapes(min_rank=2), phase=st.sampled_from(["TRAIN", "TEST"]))
def test_of_segnet(device, shape, phase):
    """Of the batch in both phases."""
    one = case("bn_mode: LEARN", *shape, phase=phase)
    if np.prod(shape) > shape[1]:
        check_forward(
            one, device, lambda x, a, b: channels(a, x) * normalized(x, 1e-9) + channels(b, x), rtol=1e-7
        )
        check_gradient(one, device)
    merged = case("bn_mode: INFERENCE", *shape, phase=phase)
    check_forward(merged, device, lambda x, a, b: channels(a, x) * x + channels(b, x))
    check_gradient(merged, device)


@each_device
def test_the_other_tops_are_the_moments(device):
    def formula(x, a, b):
        y = channels(a, x) * normalized(x, 1e-9) + channels(b, x)
        return y, x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)

    check_forward(CASES[4], device, formula, rtol=1e-7)


@each_device
@given(shape=shapes(min_rank=2), frozen=st.booleans())
def test_of_pspnet(device, shape, frozen):
    fields = f"eps: 0.125 frozen: {frozen}".lower()
    one = case(fields, *shape)
    axes = (0, *range(2, len(shape)))

    def formula(x, a, b, mean, variance):
        if not frozen:
            mean, variance = x.mean(axes), x.var(axes)
        z = (x - channels(mean, x)) / np.sqrt(channels(variance, x) + 0.125)
        return channels(a, x) * z + channels(b, x)

    check_forward(one, device, formula)
    check_gradient(one, device)


@each_device
@pytest.mark.parametrize("frozen", [False, True])
def test_running_moments(device, frozen):
    fields = f"momentum: 0.75 eps: 0.25 frozen: {frozen}".lower()
    rig = Rig(case(fields, 4, 3, 5), device)
    rng, wanted = np.random.default_rng(0), [np.zeros(3), np.full(3, float(frozen))]
    for _ in range(3):
        x = rng.standard_normal((4, 3, 5))
        (y,) = rig.forward([x])
        if not frozen:
            wanted = [0.75 * w + 0.25 * m for w, m in zip(wanted, (x.mean((0, 2)), x.var((0, 2))))]
        for blob, w in zip(rig.layer.params[2:], wanted):
            np.testing.assert_allclose(device.get(blob.data), channels(w, np.empty((1, 1, 1, 1))), rtol=1e-12)
    used = Rig(case(fields, 4, 3, 5, phase="TEST"), device)
    for blob, source in zip(used.layer.params, rig.layer.params):
        device.copy(source.data, blob.data)
    a, b, mean, variance = (channels(device.get(blob.data), x) for blob in rig.layer.params)
    (y,) = used.forward([x])
    np.testing.assert_allclose(y, a * (x - mean) / np.sqrt(variance + 0.25) + b, rtol=1e-10)


def test_what_is_trained(cpu):
    def rates(fields: str, rest: str = "") -> list[float]:
        rig = Rig(case(fields, 2, 3, rest=rest), cpu)
        return [owned.lr_mult for owned in rig.net.parameters.owned]

    assert rates("momentum: 0.9") == [1, 1, 0, 0]
    assert rates("momentum: 0.9", "param { lr_mult: 2 } param { } param { lr_mult: 1 }") == [2, 1, 0, 0]
    assert rates("frozen: true") == [0, 0, 0, 0]
    assert rates("", "param { lr_mult: 1 } param { lr_mult: 2 }") == [1, 2]


@pytest.mark.parametrize(
    ("fields", "rest", "params"),
    [
        ("", "", 2),
        ("engine: CUDNN", "", 2),
        ("shift_filler { }", "param { } param { } param { }", None),
        ("icnet: false scale_filler { }", "", 2),
        ("icnet: true", "", 4),
        ("bias_filler { }", "", 4),
        ("eps: 1e-5", "", 4),
        ("frozen: false", "", 4),
        ("", "param { } param { } param { } param { }", 4),
        ("", "blobs { } blobs { } blobs { } blobs { }", 4),
    ],
)
def test_which_kind_it_is(cpu, fields, rest, params):
    net = (
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 }} }} }} layer {{ \
name: "bn" type: "BN" bottom: "x" top: "y" bn_param {{ {fields} }} {rest} }}'
    )
    param = text.parse(net, NetParameter)
    if params is None:
        with pytest.raises(ConfigError, match="3 param entries for 2 parameters"):
            Net(param, phase="TRAIN", device=cpu, allocate=False)
        return
    built = Net(param, phase="TRAIN", device=cpu, allocate=False)
    assert len(built.layers[1].params) == params


CHAIN = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 4 kernel_size: 3
  weight_filler { type: "xavier" } bias_filler { value: 0.5 } } }
layer { name: "bn" type: "BN" bottom: "a" top: "TOP" bn_param { FIELDS } }
layer { name: "relu" type: "ReLU" bottom: "TOP" top: "TOP" }
layer { name: "next" type: "InnerProduct" bottom: "TOP" top: "y" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
"""
FILLED = {
    "of PSPNet": "slope_filler { type: 'uniform' min: -1 } bias_filler { type: 'uniform' min: -1 } eps: 0.5",
    "frozen": "slope_filler { type: 'uniform' min: -1 } bias_filler { type: 'uniform' min: -1 } frozen: true",
    "merged": "scale_filler { type: 'uniform' min: -1 } bn_mode: INFERENCE",
    "of SegNet": "scale_filler { type: 'uniform' min: -1 } shift_filler { type: 'uniform' min: -1 }",
}


@pytest.mark.parametrize("kind", FILLED)
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_passes_compute_what_the_layers_compute(cpu, kind, phase):
    """In place and apart, one by one and with convolution and ReLU in one step: the same numbers."""
    x, found, steps = np.random.default_rng(0).standard_normal((2, 3, 4, 4)), [], []
    for top, passes in (("b", ()), ("a", ()), ("a", ("absorb", "epilogue"))):
        param = text.parse(CHAIN.replace("FIELDS", FILLED[kind]).replace("TOP", top), NetParameter)
        param.force_backward = phase == "TRAIN"
        net = Net(
            param, phase=phase, seed=3, keep="needed", device=cpu, passes=passes, forward_only=phase == "TEST"
        )
        arrays = [net.forward(x=x)["y"]]
        if phase == "TRAIN":
            cpu.fill(net.blobs["y"].diff, 1)
            net.clear_param_diffs()
            net.backward()
            arrays += [cpu.get(blob.diff) for layer in net.layers for blob in layer.params]
        found.append(arrays)
        steps.append([step.layer.name for step in net.program.steps])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    folds = phase == "TEST" and kind != "of SegNet"
    assert steps[-1] == ["x", *(["conv + bn"] if folds else ["conv", "bn"]), "next"]


@pytest.mark.parametrize(
    ("fields", "tops", "shape", "error", "message"),
    [
        (
            "momentum: 0.9 scale_filler { }",
            1,
            (2, 3),
            ConfigError,
            "scale_filler is of SegNet's BN, momentum of PSP",
        ),
        (
            "icnet: true bn_mode: LEARN",
            1,
            (2, 3),
            ConfigError,
            "bn_mode is of SegNet's BN, icnet of PSPNet's",
        ),
        ("frozen: true", 2, (2, 3), ConfigError, "this BN, of PSPNet's kind, has one top; got 2"),
        ("bn_mode: INFERENCE", 3, (2, 3), ConfigError, "of SegNet's kind, has one top; got 3"),
        ("", 1, (3,), ShapeError, "must have a channel axis"),
    ],
)
def test_refuses(cpu, fields, tops, shape, error, message):
    with pytest.raises(error, match=message):
        Rig(case(fields, *shape, tops=tops), cpu)
