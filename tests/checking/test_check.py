"""check: states, costs, and errors of all kinds, without data and without memory."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from minicaffe.checking import multiply_adds
from minicaffe.checking.check import check
from minicaffe.checking.shapes import outline
from minicaffe.checking.state import State
from minicaffe.data import datasets
from minicaffe.layers import LAYERS
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.running import PROTOTXT
from .test_rules import DATA, END, GOOD, HEAD, LOSS, act, conv, inner

BIG = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 256 dim: 3 dim: 224 dim: 224 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 64 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z"
  inner_product_param { num_output: 512 weight_filler { type: "gaussian" std: 0.01 } } }
"""


def of(tmp_path, body: str, **options):
    path = tmp_path / "net.prototxt"
    path.write_text(body)
    return check(str(path), **options)


def errors(report) -> list[str]:
    return [str(finding) for finding in report.findings if finding.severity == "error"]


def test_a_net_larger_than_the_memory(tmp_path):
    """6.6 GB of weights, 5.6 GB of blobs: neither allocated nor filled."""
    report = of(tmp_path, BIG)
    (state,) = report.states
    assert state.name == "deploy" and report.ok and set(report.absent) == {"TRAIN", "TEST"}
    weights = 64 * 224 * 224 * 512
    assert [layer.parameters for layer in state.layers] == [0, 64 * 27 + 64, weights + 512]
    assert [layer.multiply_adds for layer in state.layers] == [0, 256 * 64 * 224 * 224 * 27, 256 * weights]
    shapes = State("deploy", text.parse(BIG, NetParameter), "", deploys=True)
    tracemalloc.start()
    outline(shapes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shapes.net and peak < 50e6


def test_bytes_are_those_of_the_net():
    """What check says is what a net then takes."""
    path = PROTOTXT / "digits" / "train_test.prototxt"
    state = check(str(path)).states[0]
    net = Net(path, phase="TRAIN", keep="needed")
    assert state.bytes.parameters == state.bytes.gradients == net.parameters.data.nbytes
    assert state.bytes.planned == net.memory.plan.nbytes >= state.bytes.floor
    own = sum(array.nbytes for array in net.memory._own.values())
    assert state.bytes.own == own
    assert state.bytes.total == 2 * net.parameters.data.nbytes + own + net.memory.plan.nbytes
    assert check(str(path)).states[1].bytes.gradients == 0, "a test net has none"


@pytest.mark.parametrize("name", ["lenet", "digits"])
def test_the_solvers_we_ship(name):
    report = check(str(PROTOTXT / name / "solver.prototxt"))
    assert report.kind == "solver" and report.ok
    rules = {finding.rule for finding in report.findings}
    assert rules - {""} == set()  # "": MNIST, which not every machine has, is not here
    assert [state.name for state in report.states] == ["TRAIN", "TEST"]
    train, test = report.states
    assert train.bytes.history == train.bytes.parameters and test.bytes.history == 0


def test_all_in_one():
    path = str(PROTOTXT / "digits" / "all_in_one.prototxt")
    report = check(path)
    assert report.ok and [s.bytes for s in report.states] == [None, None] and "deploy" in report.absent
    report = check(path, source="digits")
    assert report.ok and [state.name for state in report.states] == ["train", "val", "deploy"]
    assert report.states[2].layers[0].tops == [(1, 1, 8, 8)] and not report.absent
    extensions = [f.what for f in report.findings if f.rule == "extension"]
    assert len(extensions) == 1 and "shuffle" in extensions[0]  # not what --source filled in


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("bottom", "botom", 1), r"net.prototxt:\d+:\d+: LayerParameter has no field 'botom'"),
        ("layer {", "net.prototxt:"),
        (DATA + conv("data", 'kernel_size: 30') + act("r", "ReLU", "conv") + LOSS % "conv", "layer 'conv': "),
        (DATA + HEAD.replace("xavier", "xaver", 1) + END, "6: layer 'ip1': parameter 0: no filler type"),
        (
            DATA + inner("ip1", "data", 16).replace('top: "ip1"', 'top: "ip1"' + " param { lr_mult: 1 }" * 3)
            + act("relu", "ReLU", "ip1") + inner("ip2", "ip1", 10) + END,
            "layer 'ip1': 3 param entries for 2 parameters",
        ),
        (
            DATA + HEAD.replace('"ReLU"', '"Power" power_param { power: 2 }') + END,
            "net.prototxt:8: layer 'relu': cannot run in place with these settings: its gradient",
        ),
        (
            GOOD.replace("digits/train", "digits/trian"),
            "net.prototxt:2: layer 'data': no data set and no file 'digits/trian'; hint: did you mean",
        ),
        (
            GOOD.replace('source: "digits/train" backend: IDX', 'source: "nowhere_lmdb" backend: LMDB'),
            "layer 'data': nowhere_lmdb: no LMDB database",
        ),
    ],
)  # fmt: skip
def test_errors(text, message, tmp_path):
    found = errors(of(tmp_path, text))
    assert found and any(re.search(message, error) for error in found), found


def test_shapes_are_known_though_the_source_is_missing(tmp_path):
    """The crop tells them: the net is checked, and the missing source is an error all the same."""
    text = GOOD.replace("scale: 0.0625", "scale: 0.0625 crop_size: 20")
    text = text.replace('source: "digits/train" backend: IDX', 'source: "nowhere_lmdb" backend: LMDB')
    report = of(tmp_path, text)
    assert len(errors(report)) == 2  # digits/test has no crop of 20
    assert report.states[0].layers[0][:3] == ("data", "Data", [(8, 3, 20, 20), (8,)])


def test_a_named_set_that_is_not_here_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "find", lambda dataset, split: None)
    monkeypatch.setattr(datasets, "get", lambda dataset, split: pytest.fail("a download"))
    report = of(tmp_path, GOOD.replace("digits/", "mnist/"))
    assert report.ok and report.states[0].layers[0].tops == [(8, 1, 28, 28), (8,)]
    warnings = [f for f in report.findings if f.severity == "warning"]
    assert {f.layer for f in warnings} == {"data", "test"}
    assert {f.remedy for f in warnings} == {"minicaffe data get mnist"}


def test_layers_of_one_name_have_their_own_lines(tmp_path):
    text = GOOD.replace('name: "test"', 'name: "data"').replace("digits/test", "nothing")
    (error,) = errors(of(tmp_path, text))
    assert ":4: layer 'data': no data set" in error


def test_inputs_of_the_old_form_have_no_line(tmp_path):
    text = 'input: "data" input_shape { dim: 2 dim: 3 }\n' + inner("ip1", "data", 2) + act("r", "Relu", "ip1")
    report = of(tmp_path, text)
    assert "net.prototxt:4: layer 'r'" in errors(report)[0]


def test_strict(tmp_path):
    assert of(tmp_path, GOOD).ok
    report = of(tmp_path, GOOD, strict=True)
    assert (
        "data_param.backend: IDX is an extension" in errors(report)[0]
        and ":2: layer 'data'" in errors(report)[0]
    )


SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 10 test_iter: 40 test_interval: 5\n'


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        (SOLVER.replace("0.1", "0"), "no_rate", "base_lr is 0"),
        (SOLVER.replace("max_iter: 10", ""), "no_iterations", "max_iter is 0"),
        (SOLVER.replace("test_iter: 40", "test_iter: 39"), "part_of_test_set", "a test sees 351 samples"),
        (SOLVER.replace("fixed", "fixd"), "cannot_be_read", "no learning-rate policy 'fixd'"),
        (SOLVER + 'type: "Adm"', "cannot_be_read", "no solver type 'Adm'; hint: did you mean 'Adam'"),
        (SOLVER.replace("net.", "nut."), "cannot_be_read", "net 'nut.prototxt' does not exist"),
        (
            SOLVER.replace("base_lr", "bass_lr"),
            "cannot_be_read",
            "no field 'bass_lr'; hint: did you mean 'base_lr'",
        ),
    ],
)
def test_solvers(text, rule, message, tmp_path):
    (tmp_path / "net.prototxt").write_text(GOOD)
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER)
    assert check(str(path)).findings == []
    path.write_text(text)
    found = [f for f in check(str(path)).findings if f.rule == rule]
    assert found and message in str(found[0]), found


def test_inputs_and_a_loss_are_a_net_to_train_from_outside(tmp_path):
    text = """layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 1 dim: 8 dim: 8 } shape { dim: 4 } } }
"""
    report = of(tmp_path, text + HEAD + END)
    assert report.ok and [state.name for state in report.states] == ["TRAIN", "TEST"]


def test_every_layer_type_has_a_count_or_is_known_to_cost_nothing():
    counted = set(multiply_adds.TABLE) | multiply_adds.NOTHING
    assert not set(multiply_adds.TABLE) & multiply_adds.NOTHING
    unknown = set(LAYERS) - counted
    assert "Python" in unknown and "Convolution" not in unknown
