"""check: states, costs, and errors of all kinds, without data and without memory."""

from __future__ import annotations

import re
import time
import tracemalloc

import numpy as np
import pytest

from minicaffe.checking.check import check
from minicaffe.checking.shapes import outline
from minicaffe.checking.state import State
from minicaffe.checking.summary import summarize
from minicaffe.cli import flags, train
from minicaffe.data import datasets, mean
from minicaffe.errors import ConfigError, MiniCaffeError
from minicaffe.net import Net
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import NetParameter
from minicaffe.solvers.solver import Solver

from ..support.running import PROTOTXT
from .test_rules import ACCURACY, DATA, END, GOOD, HEAD, LOSS, act, conv, inner

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
    ],
)  # fmt: skip
def test_errors(text, message, tmp_path):
    found = errors(of(tmp_path, text))
    assert found and any(re.search(message, error) for error in found), found


LMDB = GOOD.replace('source: "digits/train" backend: IDX', 'source: "nowhere_lmdb" backend: LMDB')


def needed(report) -> list[str]:
    return [str(finding) for finding in report.findings if finding.severity == "needs data"]


def test_shapes_are_known_though_the_source_is_missing(tmp_path):
    """The crop tells them: the net is checked, and what is missing is a finding of its own kind."""
    report = of(tmp_path, LMDB.replace("scale: 0.0625", "scale: 0.0625 crop_size: 8"))
    (missing,) = needed(report)
    assert "net.prototxt:2: layer 'data': nowhere_lmdb is not here (data_param.source)" in missing
    assert "; hint: taken as " in missing and "--shape data=N,C,H,W if it has another shape" in missing
    assert not errors(report) and not report.ok
    assert report.states[0].layers[0][:3] == ("data", "Data", [(8, 3, 8, 8), (8,)])
    assert of(tmp_path, LMDB, allow_missing_data=True).ok


def test_shapes_that_are_given(tmp_path):
    """Without them the net is not judged, with them it is; labels follow."""
    report = of(tmp_path, LMDB)
    assert report.states[0].bytes is None and "hint: --shape data=N,C,H,W" in needed(report)[0]
    report = of(tmp_path, LMDB, shapes={"data": (5, 1, 8, 8)})
    assert report.states[0].layers[0].tops == [(5, 1, 8, 8), (5,)] and len(needed(report)) == 1
    assert report.states[1].layers[0].tops == [(5, 1, 8, 8), (5,)], "it wins over data that is here"
    report = of(tmp_path, LMDB, shapes={"dta": (5,)})
    assert any("--shape dta: no layer has a top of this name" in f.what for f in report.findings)


@pytest.mark.parametrize(
    ("layer", "missing", "shapes"),
    [
        ('"ImageData" image_data_param { source: "no.txt" batch_size: 3 new_height: 6 new_width: 7 }',
         "no.txt is not here (image_data_param.source)", [(3, 3, 6, 7), (3,)]),
        ('"ImageData" image_data_param { source: "list.txt" is_color: false new_height: 6 new_width: 7 }',
         "no.png is not here (image_data_param.source, list.txt)", [(1, 1, 6, 7), (1,)]),
        ('"DenseImageData" dense_image_data_param { source: "no.txt" batch_size: 3'
         ' new_height: 6 new_width: 7 }',
         "no.txt is not here (dense_image_data_param.source)", [(3, 3, 6, 7), (3, 1, 6, 7)]),
        ('"HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 3 }', "no.png is not here", None),
        ('"AnnotatedData" data_param { source: "no/train[:9]" batch_size: 3 backend: VOC } transform_param {'
         ' resize_param { height: 6 width: 7 } }',
         "no/train[:9] is not here (data_param.source)", [(3, 3, 6, 7), (1, 1, 1, 8)]),
        ('"AnnotatedData" data_param { source: "no.json" batch_size: 3 backend: COCO } transform_param {'
         ' crop_h: 5 crop_w: 5 force_gray: true }',
         "no.json is not here (data_param.source)", [(3, 1, 5, 5), (1, 1, 1, 8)]),
        ('"AnnotatedData" data_param { source: "list.txt" batch_size: 3 backend: COCO }'
         ' annotated_data_param { label_map_file: "no" }',
         "no is not here (annotated_data_param.label_map_file)", None),
        ('"WindowData" window_data_param { source: "no" batch_size: 3 } transform_param { crop_size: 9 }',
         "no is not here", [(3, 3, 9, 9), (3,)]),
        ('"VideoData" video_data_param { source: "no" batch_size: 3 num_segments: 4 new_length: 5 }'
         ' transform_param { crop_size: 9 }', "no is not here (video_data_param.source)",
         [(3, 40, 9, 9), (3,)]),
        ('"Data" data_param { source: "no" batch_size: 2 } transform_param { crop_size: 4 force_gray: true }',
         "no is not here (data_param.source)", [(2, 1, 4, 4), (2,)]),  # in LevelDB, the default
        ('"Data" data_param { source: "no" batch_size: 2 backend: LMDB }'
         ' transform_param { mean_file: "mean" }',
         "no is not here", [(2, 3, 5, 6), (2,)]),
        ('"Data" data_param { source: "digits/test" backend: IDX batch_size: 2 }'
         ' transform_param { mean_file: "no.binaryproto" }',
         "no.binaryproto is not here (transform_param.mean_file)", [(2, 1, 8, 8), (2,)]),
        ('"Data" data_param { source: "digits/trian" backend: IDX batch_size: 2 }', "", None),  # a mistake
    ],
)  # fmt: skip
def test_what_is_missing_and_the_shapes_all_the_same(layer, missing, shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("no.png 0\n".replace(" 0", "" if "HDF5" in layer else " 0"))
    (tmp_path / "mean").write_bytes(mean.to_blob(np.zeros((3, 5, 6), np.float32)).SerializeToString())
    report = of(tmp_path, f'layer {{ name: "data" top: "data" top: "label" type: {layer} }}')
    assert [missing in text for text in needed(report)] == [True] * bool(missing), report.findings
    assert len(errors(report)) == (not missing)
    state = report.states[0]
    assert (state.layers[0].tops if state.bytes else None) == shapes


def test_an_infogain_matrix_that_is_missing(tmp_path):
    report = of(
        tmp_path, GOOD.replace('"SoftmaxWithLoss"', '"InfogainLoss" infogain_loss_param { source: "H" }')
    )
    assert "H is not here (infogain_loss_param.source)" in needed(report)[0] and not errors(report)
    assert report.states[0].layers[-1].type == "InfogainLoss" and report.states[0].bytes


def test_a_layer_of_a_user_with_a_given_shape(tmp_path):
    """Its module is not here, which stays an error; the rest is judged."""
    text = """layer { name: "data" type: "Python" top: "data" top: "label"
      python_param { module: "no_such_module" layer: "L" } }
    """
    report = of(tmp_path, text + HEAD + END, shapes={"data": (4, 6)})
    assert ["'no_such_module' cannot be found" in error for error in errors(report)] == [True]
    assert [state.layers[1].tops for state in report.states] == [[(4, 16)]] * 2


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
    (missing,) = needed(of(tmp_path, text))
    assert ":4: layer 'data': nothing is not here" in missing


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
        (SOLVER.replace("0.1", "1.5"), "high_rate", "base_lr is 1.5: with SGD the loss will hardly stay"),
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


def test_a_test_of_a_range(tmp_path):
    (tmp_path / "net.prototxt").write_text(GOOD.replace("digits/test", "digits/test[75%:]"))
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER.replace("test_iter: 40", "test_iter: 10"))
    assert check(str(path)).findings == []
    path.write_text(SOLVER)
    (finding,) = check(str(path)).findings
    assert "a test sees 360 samples" in finding.what and "digits/test[75%:] has 90" in finding.what


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_a_range_that_a_set_lacks(name, tmp_path, monkeypatch):
    """Said also of a set that is not here."""
    monkeypatch.setattr(datasets, "folders", lambda dataset: [datasets.PACKAGED / dataset.name])
    report = of(tmp_path, GOOD.replace("digits/test", f"{name}/test[:70000]"))
    assert any("reaches beyond the" in error and "got 70000" in error for error in errors(report))


def test_inputs_and_a_loss_are_a_net_to_train_from_outside(tmp_path):
    text = """layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 1 dim: 8 dim: 8 } shape { dim: 4 } } }
"""
    report = of(tmp_path, text + HEAD + END)
    assert report.ok and [state.name for state in report.states] == ["TRAIN", "TEST"]


def test_what_training_refuses_is_refused_here(tmp_path, monkeypatch):
    """Without writing anything, and in the words of `train`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(GOOD)
    path = tmp_path / "solver.prototxt"
    for more, rule in [
        ('snapshot: 5 snapshot_prefix: "no/such/x"', "bad_solver"),
        ('snapshot_prefix: "no/such/x"', "no_snapshots"),  # after training
        ("average_loss: 0", "bad_solver"),
        ('type: "Adam" momentum: 1', "bad_solver"),
        ('early_stop { output: "acuracy" patience: 2 }', "bad_solver"),
        ("solver_mode: GPU", "no_gpu"),
        ('weights: "no.caffemodel"', "no_weights"),
    ]:
        path.write_text(SOLVER + more)
        (error,) = [f for f in check(str(path)).findings if f.severity == "error"]
        assert error.rule == rule and error.where == f"{path}:2", error
        with pytest.raises(MiniCaffeError) as raised:
            param = upgrade.read_solver(str(path))
            device = flags.device(train.parser().parse([]), param)
            Solver.create(str(path), device=device).solve()
        assert error.what in str(raised.value)
    path.write_text(SOLVER + "solver_mode: GPU")
    (error,) = [f for f in check(str(path)).findings if f.severity == "error"]
    assert error.remedy.endswith("; --cpu runs it on the CPU")
    assert check(str(path), cpu=True).ok and sorted(p.name for p in tmp_path.iterdir()) == [
        "net.prototxt",
        "solver.prototxt",
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (
            'base_lr: 0.1\nlr_policy: "fixed"\nnet: "absent.prototxt"',
            3,
            "net 'absent.prototxt' does not exist",
        ),
        ('net: "a"\nlr_policy: "never"', 2, "no learning-rate policy 'never'"),
        ('layer { name: "a"\nlayer { name: "b" }', 2, "the 'layer' of line 1 is still open"),
    ],
)
def test_a_file_that_cannot_be_judged_is_named_with_its_line(tmp_path, text, line, what):
    (tmp_path / "x.prototxt").write_text(text)
    (finding,) = check(str(tmp_path / "x.prototxt")).findings
    assert re.match(f"{re.escape(str(tmp_path))}/x.prototxt:{line}(:1)?$", finding.where), finding
    assert what in finding.what
    with pytest.raises(MiniCaffeError, match=rf"x\.prototxt:{line}(:1)?: .*{what}"):
        summarize(str(tmp_path / "x.prototxt"))


def test_a_label_map_is_neither_net_nor_solver(tmp_path):
    (error,) = errors(of(tmp_path, 'item { name: "cat" label: 1 display_name: "cat" }'))
    assert "net.prototxt: a label map, neither a net nor a solver" in error


INPUT = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 4 dim: 6 } } %s }\n'
DUMMY = 'layer { name: "in" type: "DummyData" top: "data" dummy_data_param { shape { dim: 4 dim: 6 } } %s }\n'
SCORES = HEAD + act("p", "Softmax", "ip2", "p")
LABELS = INPUT.replace('"in"', '"lab"').replace('"data"', '"label"').replace(" dim: 6", "")


@pytest.mark.parametrize(
    ("text", "states", "absent"),
    [
        (DUMMY % "" + SCORES, ["TEST"], {"TRAIN": "no loss", "deploy": "no Input"}),
        (DUMMY % "include { phase: TEST }" + SCORES, ["TEST"],
         {"TRAIN": "no layer brings data", "deploy": ""}),
        (INPUT % "" + SCORES, ["deploy"], {"TRAIN": "no layer brings data", "TEST": ""}),
        (INPUT % "include { phase: TRAIN }" + LABELS % "include { phase: TRAIN }" + HEAD + LOSS % "ip2",
         ["TRAIN"], {"TEST": "no layer brings data in"}),
        (INPUT % "" + LABELS % "" + HEAD + LOSS % "ip2", ["TRAIN", "TEST"], {}),
    ],
)  # fmt: skip
def test_states_that_there_are(text, states, absent, tmp_path):
    report = of(tmp_path, text)
    assert [state.name for state in report.states] == states and report.ok, report.findings
    assert set(report.absent) == set(absent)
    assert all(why in report.absent[name] for name, why in absent.items())


@pytest.mark.parametrize(
    "entry",
    [
        'type: "ImageData" image_data_param { source: "pointer" new_height: 4 new_width: 4 }',
        'type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 1 }',
    ],
)
def test_data_of_which_git_holds_a_pointer(entry, tmp_path, monkeypatch):
    """It is no data that is not here, of which nothing is known."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pointer").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "list.txt").write_text("pointer\n")
    report = of(tmp_path, f'layer {{ name: "d" top: "data" top: "label" {entry} }}\n' + HEAD + LOSS % "ip2")
    assert "pointer: a Git LFS pointer" in errors(report)[0] and not needed(report)


def test_what_a_net_without_a_loss_computes_is_what_it_is_for(tmp_path):
    unread = DUMMY.replace('"data"', '"unread"') % ""
    report = of(tmp_path, DUMMY % "" + unread + act("r", "ReLU", "data", "r"))
    assert [f.what for f in report.findings] == ["top 'unread' is read by nobody"]


def test_an_accuracy_in_a_net_for_use(tmp_path):
    accuracy = ACCURACY.replace("include { phase: TEST }", "")
    (error,) = errors(of(tmp_path, INPUT % "" + HEAD + accuracy))
    assert "bottom 'label' is made by no layer before this one; hint: without labels there is" in error
    with pytest.raises(ConfigError, match="hint: without labels there is nothing to measure: remove"):
        Net(text.parse(INPUT % "" + HEAD + accuracy, NetParameter), phase="TEST")


def test_a_net_that_nothing_is_put_into(tmp_path):
    (error,) = errors(of(tmp_path, 'input: "data"\n' + act("r", "ReLU", "data", "r")))
    assert (
        'nothing is put in here: look at the include rules, or add an Input layer with top: "data"' in error
    )


def test_a_net_of_many_layers_with_many_faults(tmp_path):
    """No time that grows with their square: at that 3,000 would take minutes."""
    data = 'layer { name: "d%d" type: "Data" top: "d%d" transform_param { crop_size: 3 }'
    data += ' data_param { source: "no" batch_size: 1 backend: LMDB } }\n'
    missing = 'layer { name: "m%d" type: "Power" bottom: "n%d" top: "o%d" }\n'
    for line, severity in ((data, "needs data"), (missing, "error")):
        begun = time.process_time()
        report = of(tmp_path, "".join(line.replace("%d", str(i)) for i in range(1500)))
        assert report.count(severity) == 1500 and time.process_time() - begun < 30


def test_a_file_without_layers(tmp_path):
    path = tmp_path / "x.prototxt"
    path.write_text("# nothing\n")
    assert [str(finding) for finding in check(str(path)).findings] == [
        f"{path}: the net has no layers; hint: is this the right file?"
    ]
