"""Folding: the same outputs from fewer layers, and nothing folded that must not be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe import Net
from minicaffe.convert.fold import fold
from minicaffe.errors import WeightsError
from minicaffe.net.weights import load_message
from minicaffe.proto import binary, text
from minicaffe.proto.schema import NetParameter

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 4, 5, 5] } } }'
FILLED = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'


def layer(kind: str, bottom: str, top: str, more: str = "", name: str = "") -> str:
    return f'layer {{ name: "{name or kind}" type: "{kind}" bottom: "{bottom}" top: "{top}" {more} }}'


def convolution(bottom: str, top: str, more: str = "", kind: str = "Convolution", rest: str = "") -> str:
    conf = f"convolution_param {{ num_output: 6 kernel_size: 3 {FILLED} {more} }}"
    return layer(kind, bottom, top, f"{conf} {rest}")


def scale(bottom: str, top: str, more: str = "bias_term: true", name: str = "", rest: str = "") -> str:
    return layer("Scale", bottom, top, f"scale_param {{ {more} }} {rest}", name)


def filled(source: str, phase: str = "TEST") -> tuple[NetParameter, NetParameter]:
    """A net, and weights for it that leave nothing 0 or 1."""
    param = text.parse(source, NetParameter)
    net = Net(param, seed=1, phase=phase)
    rng = np.random.default_rng(2)
    for each in net.layers:
        for i, blob in enumerate(each.params):
            if each.type not in ("Convolution", "Deconvolution", "InnerProduct") or i:
                blob.data[...] = rng.uniform(0.5, 2, blob.shape)
    return param, net.to_message()


def outputs(param: NetParameter, weights: NetParameter) -> dict[str, np.ndarray]:
    net = Net(param, seed=1, phase="TEST")
    assert not load_message(net.parameters, weights, "weights")
    rng = np.random.default_rng(3)
    return net.forward(**{name: rng.standard_normal(net.blobs[name].shape) for name in net.inputs})


def check(source: str, left: list[str]) -> list[str]:
    """Fold, compare the outputs, and return what was said; `left` are the types that remain."""
    param, weights = filled(source)
    before = param.SerializeToString(), weights.SerializeToString()
    folded = fold(param, weights)
    assert before == (param.SerializeToString(), weights.SerializeToString())
    assert [each.type for each in folded.net.layer if each.type != "Input"] == left
    one, other = outputs(param, weights), outputs(folded.net, folded.weights)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-5, atol=1e-5 * np.abs(one[name]).max())
    assert {entry.name for entry in folded.weights.layer} >= {each.name for each in folded.net.layer}
    return folded.lines


@given(
    st.sampled_from(["Convolution", "Deconvolution"]),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "BatchNorm", "Scale", "both"]),
    st.booleans(),
)
def test_convolutions(kind, groups, bias, in_place, behind, flat):
    top = "y" if in_place else "z"
    conf = f"group: {groups} bias_term: {str(bias).lower()}"
    source = INPUT + convolution("x", "y", conf, kind)
    if behind in ("BatchNorm", "both"):
        source += layer("BatchNorm", "y", top)
    if behind in ("Scale", "both"):
        bottom = top if behind == "both" else "y"
        source += scale(bottom, top, "bias_term: true" if flat else "num_axes: 0")
    source += layer("ReLU", top if behind else "y", "out")
    check(source, [kind, "ReLU"])


@pytest.mark.parametrize("conf", ["", "bias_term: false", "transpose: true"])
def test_inner_products(conf):
    source = layer("InnerProduct", "x", "y", f"inner_product_param {{ num_output: 6 {FILLED} {conf} }}")
    source = INPUT + source + layer("BatchNorm", "y", "z") + scale("z", "z") + layer("Bias", "z", "w")
    assert check(source, ["InnerProduct"]) == [
        "BatchNorm: folded into InnerProduct",
        "Scale: folded into InnerProduct",
        "Bias: folded into InnerProduct",
    ]


def test_nothing_before_a_batch_norm():
    lines = check(
        INPUT + layer("BatchNorm", "x", "y") + scale("y", "y") + layer("ReLU", "y", "y"), ["Scale", "ReLU"]
    )
    assert lines == [
        "BatchNorm: a Scale now: in (Input) before it cannot take it up",
        "Scale: folded into BatchNorm",
    ]


def test_a_chain_in_place_before_a_pooling():
    pooling = layer("Pooling", "y", "p", "pooling_param { kernel_size: 2 }")
    check(
        INPUT + convolution("x", "y") + layer("BatchNorm", "y", "y") + scale("y", "y") + pooling,
        ["Convolution", "Pooling"],
    )


@pytest.mark.parametrize(
    ("between", "left", "reason"),
    [
        (layer("ReLU", "y", "r"), ["Convolution", "ReLU", "Scale"], "other layers use 'y' or 'z' too"),
        (
            layer("ReLU", "y", "y"),
            ["Convolution", "ReLU", "Scale"],
            "ReLU (ReLU) before it cannot take it up",
        ),
    ],
)
def test_a_blob_that_others_read(between, left, reason):
    source = INPUT + convolution("x", "y") + between + layer("BatchNorm", "y", "z")
    assert check(source, left) == [f"BatchNorm: a Scale now: {reason}"]


def test_a_blob_that_is_read_later():
    source = INPUT + convolution("x", "y") + scale("y", "z") + layer("ReLU", "y", "r")
    assert check(source, ["Convolution", "Scale", "ReLU"]) == [
        "Scale: stays: other layers use 'y' or 'z' too"
    ]


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        (scale("y", "z", "axis: 2 num_axes: 2"), "its axis is 2, not 1"),
        (scale("y", "z", "num_axes: -1"), "it spans several axes"),
        (layer("Scale", "y", "z", 'bottom: "s"'), "it has several bottoms or tops"),
        (scale("y", "z", rest="loss_weight: 1"), "it has a loss_weight"),
        (
            scale("y", "z", rest="include { phase: TEST }"),
            "Convolution before it has other include or exclude rules",
        ),
    ],
)
def test_what_stays(behind, reason):
    second = (
        'layer { name: "s" type: "Input" top: "s" input_param { shape { dim: 6 } } }'
        if '"s"' in behind
        else ""
    )
    assert check(INPUT + second + convolution("x", "y") + behind, ["Convolution", "Scale"]) == [
        f"Scale: stays: {reason}"
    ]


def test_shared_weights_stay():
    shared = 'param { name: "w" }'
    other = convolution("x", "v", rest=shared).replace('name: "Convolution"', 'name: "other"')
    source = INPUT + other + convolution("x", "y", rest=shared) + scale("y", "z")
    reason = "Scale: stays: Convolution before it cannot take it up: it shares weights with other layers"
    assert check(source, ["Convolution", "Convolution", "Scale"]) == [reason]


def test_statistics_of_the_batch_stay():
    source = (
        INPUT
        + convolution("x", "y")
        + layer("BatchNorm", "y", "z", "batch_norm_param { use_global_stats: false }")
    )
    assert check(source, ["Convolution", "BatchNorm"]) == ["BatchNorm: stays: use_global_stats is false"]


def test_a_factor_alone_takes_up_no_channels():
    source = INPUT + scale("x", "y", "num_axes: 0", name="one") + scale("y", "z")
    assert check(source, ["Scale", "Scale"])[1] == "Scale: stays: one before it scales by a single number"


def test_a_factor_of_several_axes_takes_up_no_channels():
    source = INPUT + scale("x", "y", "num_axes: 2", name="wide") + layer("BatchNorm", "y", "z")
    lines = check(source, ["Scale", "Scale"])
    assert lines == [
        "wide: stays: it spans several axes",
        "BatchNorm: a Scale now: wide before it spans several axes",
    ]


def test_layers_without_weights_are_named():
    param, weights = filled(INPUT + convolution("x", "y") + layer("ReLU", "y", "y"))
    del weights.layer[1]
    assert fold(param, weights).lines == ["Convolution: the file has no weights for it"]


def test_doubles_stay_doubles_and_other_layers_stay():
    param, weights = filled(INPUT + convolution("x", "y") + scale("y", "y"))
    for entry in weights.layer:
        arrays = [binary.to_array(blob).astype(np.float64) for blob in entry.blobs]
        del entry.blobs[:]
        entry.blobs.extend(map(binary.from_array, arrays))
    weights.layer.add(name="more", type="InnerProduct", blobs=[binary.from_array(np.ones(3))])
    folded = fold(param, weights).weights
    assert [entry.name for entry in folded.layer] == ["in", "Convolution", "more"]
    assert folded.layer[1].blobs[1].double_data and folded.layer[2] == weights.layer[-1]


def test_a_scale_that_nvidia_caffe_calls_otherwise():
    param, weights = filled(
        INPUT + convolution("x", "y") + layer("BatchNorm", "y", "y", name="bn") + scale("y", "y")
    )
    wanted = fold(param, weights).weights
    next(entry for entry in weights.layer if entry.type == "Scale").name = "bn/scale"
    assert fold(param, weights).weights == wanted


@pytest.mark.parametrize(
    ("name", "blobs", "message"),
    [
        ("Scale", None, r"layer 'Scale' \(Scale\): the file has no weights for it"),
        ("Scale", [(6,)], "1 blobs are stored for 2 parameters"),
        ("Scale", [(6,), (5,)], r"blob 1 has shape \(5,\); expected \(6,\)"),
        ("Scale", [(5,), (5,)], r"'Convolution' .*: 6 channels; the layer behind it has weights for 5"),
        (
            "Convolution",
            [(5, 4, 3, 3), (6,)],
            r"blob 0 has shape \(5, 4, 3, 3\), which does not fit num_output 6",
        ),
        ("Convolution", [(6, 4, 3, 3), (5,)], "blob 1 has 5 values; expected 6"),
        ("BatchNorm", [(6,), (5,), (1,)], r"'BatchNorm' .*blobs of shapes .* are no statistics"),
        ("BatchNorm", [(6,), (6,), (1,)], "blob 1: its variances are not positive"),
    ],
)
def test_weights_that_do_not_fit(name, blobs, message):
    param, weights = filled(INPUT + convolution("x", "y") + layer("BatchNorm", "y", "y") + scale("y", "y"))
    entry = next(entry for entry in weights.layer if entry.name == name)
    del entry.blobs[:]
    entry.blobs.extend(
        binary.from_array(np.full(shape, -1.0 if i == 1 else 1.0)) for i, shape in enumerate(blobs or [])
    )
    with pytest.raises(WeightsError, match=message):
        fold(param, weights)
