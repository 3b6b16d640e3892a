"""gradcheck: right gradients pass, wrong ones are found, kinks are told from errors."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.checking import gradcheck as module
from minicaffe.checking.difference import Probe, compare
from minicaffe.checking.gradcheck import fill_inputs, gradcheck
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError
from minicaffe.layers import resolve
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.running import PROTOTXT

INPUT = """
layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }
"""
MANY = (
    INPUT
    + """
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "branch" type: "TanH" bottom: "conv" top: "tanh" }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "tanh" top: "sum" }
layer { name: "norm" type: "LRN" bottom: "sum" top: "norm" lrn_param { local_size: 3 } }
layer { name: "cut" type: "Slice" bottom: "norm" top: "first" top: "rest" slice_param { slice_point: 1 } }
layer { name: "join" type: "Concat" bottom: "rest" bottom: "first" top: "joined" }
layer { name: "pool" type: "Pooling" bottom: "joined" top: "pool"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "prelu" type: "PReLU" bottom: "pool" top: "pool" }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "ip" top: "ip" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" top: "prob" }
"""
)


def make(body: str, phase: str = "TRAIN") -> Net:
    net = Net(text.parse(body, NetParameter), phase=phase, device=CpuDevice(np.float64), seed=1)
    fill_inputs(net)
    return net


def verdicts(net: Net, **options) -> dict[tuple[str, str], str]:
    return {(row.layer, row.blob): row.verdict for row in gradcheck(net, **options)}


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_many_layers(phase):
    net = make(MANY, phase)
    rows = gradcheck(net)
    assert {row.verdict for row in rows} <= {"ok", "not checked", "kink"}
    assert {row.layer for row in rows if row.verdict == "kink"} <= {
        "pool",
        "prelu",
    }  # zeros from the ReLU tie
    assert {row.layer for row in rows} >= {layer.name for layer in net.layers}
    assert all(row.error < 1e-5 for row in rows if row.error is not None)
    notes = {(row.layer, row.blob): row.note for row in rows if row.verdict == "not checked"}
    assert notes["bn", "param 0"] == "it is not trained (lr_mult 0)"
    assert notes["data", ""] == "it brings data in"
    assert any(layer == "loss" and note == "it has no gradient" for (layer, _), note in notes.items())


def test_a_batch_of_the_nets_own_data():
    path = PROTOTXT / "digits" / "train_test.prototxt"
    net = Net(path, phase="TRAIN", device=CpuDevice(np.float64), seed=1)
    found = verdicts(net, layers=["conv1", "pool1", "loss"], directions=1, coordinates=2)
    assert found.pop(("pool1", "conv1")) in ("ok", "kink")  # equal pixels, equal maxima
    assert set(found.values()) == {"ok", "not checked"}


def wrong(kind: type, monkeypatch, change) -> None:
    """Let backward of a layer class end with change(bottom, layer)."""
    right = kind.backward

    def backward(self, top, propagate_down, bottom):
        right(self, top, propagate_down, bottom)
        change(bottom, self)

    monkeypatch.setattr(kind, "backward", backward)


def one_percent(bottom, layer):
    bottom[0].diff *= 1.01


@pytest.mark.parametrize(
    ("type", "layer"),
    [
        ("Convolution", "conv"),
        ("BatchNorm", "bn"),
        ("ReLU", "relu"),
        ("Dropout", "drop"),
        ("LRN", "norm"),
        ("Pooling", "pool"),
        ("InnerProduct", "ip"),
        ("SoftmaxWithLoss", "loss"),
    ],
)
def test_one_percent_is_found_where_it_is(type, layer, monkeypatch):
    wrong(resolve(type), monkeypatch, one_percent)
    rows = gradcheck(make(MANY))
    failed = {row.layer for row in rows if row.verdict == "FAIL"}
    assert failed == {layer}
    assert all(0.001 < row.error < 0.02 for row in rows if row.verdict == "FAIL")


def test_one_percent_among_kinks_is_found(monkeypatch):
    """Half of the windows tie; the others tell."""
    net = make(INPUT + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')
    values = net.device.get(net.blobs["x"].data)
    values.flat[::2] = 0
    net.put_inputs({"x": values})
    assert verdicts(net)["r", "x"] == "kink"
    wrong(resolve("ReLU"), monkeypatch, one_percent)
    assert verdicts(net)["r", "x"] == "FAIL"


def test_a_parameter_gradient_that_is_missing(monkeypatch):
    def forget(bottom, layer):
        layer.params[1].diff[...] = 0

    wrong(resolve("InnerProduct"), monkeypatch, forget)
    found = verdicts(make(MANY))
    assert {key for key, verdict in found.items() if verdict == "FAIL"} == {("ip", "param 1")}


def test_a_bottom_diff_that_is_not_written(monkeypatch):
    monkeypatch.setattr(resolve("TanH"), "backward", lambda *arguments: None)
    rows = {row.layer: row for row in gradcheck(make(MANY)) if row.type == "TanH"}
    assert rows["branch"].verdict == "FAIL" and "not written" in rows["branch"].note


@pytest.mark.parametrize(
    ("layer", "top"),
    [
        ('type: "ReLU"', "y"),
        ('type: "Pooling" pooling_param { kernel_size: 2 }', "y"),
        ('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 } top: "mask"', "y"),
        ('type: "ReLU"', "x"),
    ],
)
def test_zeros_everywhere_are_a_kink(layer, top):
    net = make(INPUT + f'layer {{ name: "l" {layer} bottom: "x" top: "{top}" }}'.replace(
        'top: "mask" bottom: "x" top: "y"', 'bottom: "x" top: "y" top: "mask"'))  # fmt: skip
    net.put_inputs({"x": np.zeros((4, 3, 6, 6))})
    (row,) = [row for row in gradcheck(net) if row.layer == "l"]
    assert row.verdict == "kink" and row.note


def test_an_extremum_is_no_kink():
    net = make(INPUT + 'layer { name: "l" type: "Power" bottom: "x" top: "y" power_param { power: 2 } }')
    net.put_inputs({"x": np.zeros((4, 3, 6, 6))})
    assert verdicts(net)["l", "x"] == "ok"


def test_statistics_and_blobs_stay_as_they_are():
    net = make(MANY)
    other = make(MANY)
    gradcheck(net)
    other.forward()
    for name in ("bn", "conv"):
        for one, another in zip(net.params[name], other.params[name]):
            np.testing.assert_array_equal(one.data, another.data)
    np.testing.assert_array_equal(net.blobs["ip"].data, other.blobs["ip"].data)


def test_filter_whose_tops_change_shape():
    body = (
        INPUT
        + """
layer { name: "choice" type: "Input" top: "choice" input_param { shape { dim: 4 } } }
layer { name: "f" type: "Filter" bottom: "x" bottom: "choice" top: "y" }
layer { name: "tanh" type: "TanH" bottom: "y" top: "z" }"""
    )
    net = make(body)
    net.put_inputs({"choice": np.array([1.0, 0, 0, 1])})
    found = verdicts(net)
    assert found["f", "x"] == "ok" and found["f", "choice"] == "not checked"
    assert found["tanh", "y"] == "ok" and net.blobs["z"].shape[0] == 2
    net.put_inputs({"choice": np.zeros(4)})
    rows = {row.layer: row for row in gradcheck(net)}
    assert rows["tanh"].verdict == "not checked" and rows["tanh"].note == "it is empty"


def test_tops_that_are_not_finite():
    net = make(INPUT + 'layer { name: "l" type: "Log" bottom: "x" top: "y" }')
    (row,) = [row for row in gradcheck(net) if row.layer == "l"]
    assert (row.verdict, row.note) == ("not checked", "a top is not finite")


def test_python_layer_of_the_user():
    body = (
        INPUT
        + """
layer { name: "l" type: "Python" bottom: "x" top: "y"
  python_param { module: "tests.checking.layers_of_a_user" layer: "%s" } }"""
    )
    assert verdicts(make(body % "Square"))["l", "x"] == "ok"
    assert verdicts(make(body % "WrongSquare"))["l", "x"] == "FAIL"


@pytest.mark.parametrize("moved", [{"coordinates": 0}, {"directions": 0, "coordinates": 4 * 3 * 6 * 6}])
def test_a_failure_names_the_element(moved):
    """Found by halving where all elements moved together."""
    body = """layer { name: "l" type: "Python" bottom: "x" top: "y"
  python_param { module: "tests.checking.layers_of_a_user" layer: "WrongAtOne" } }"""
    (row,) = [row for row in gradcheck(make(INPUT + body), **moved) if row.verdict == "FAIL"]
    assert row.element == (2, 1, 0, 5)
    assert row.analytic == pytest.approx(row.numeric + 0.5, rel=1e-6)


def test_labels_among_inputs_are_whole_numbers():
    net = make(MANY)
    assert set(np.unique(net.blobs["label"].data)) <= {0.0, 1.0}
    assert len(np.unique(net.blobs["x"].data)) > 100


def test_a_frozen_layer_is_not_checked():
    body = (
        INPUT
        + """
layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" param { lr_mult: 0 } param { lr_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }"""
    )
    found = verdicts(make(body))
    assert found["l", "param 0"] == "not checked" and found["l", "x"] == "ok"


def test_errors():
    net = make(MANY)
    with pytest.raises(ConfigError, match="no layer 'cnov'; hint: did you mean 'conv'"):
        gradcheck(net, ["cnov"])
    with pytest.raises(ConfigError, match="checked in float64; the net is in float32"):
        gradcheck(Net(text.parse(INPUT, NetParameter)))


@pytest.mark.parametrize("name", ["kink", "square", "wrong"])
def test_compare_itself(name):
    """On plain functions: a kink at 0, none, and a gradient off by 1 %."""
    x = np.zeros(5) if name == "kink" else np.linspace(1, 2, 5)
    function = (lambda v: [np.maximum(v, 0)]) if name == "kink" else (lambda v: [v**2])
    factor = 1.01 if name == "wrong" else 1.0

    def backward(slopes):
        return slopes[0] * (0 * x if name == "kink" else 2 * x) * factor

    slopes = [np.ones(5)]
    probe = Probe(x, function(x), function, slopes, backward(slopes), backward)
    verdict = compare(probe, np.random.default_rng(0).standard_normal(5)).verdict
    assert verdict == {"kink": "kink", "square": "ok", "wrong": "FAIL"}[name]


def test_how_many_are_tried():
    net = make(MANY)
    counts = {(r.layer, r.blob): r.checked for r in gradcheck(net, ["conv"], directions=1, coordinates=3)}
    assert set(counts.values()) == {4}
    assert module.DIRECTIONS == module.COORDINATES == 4
