"""Every rule: a net that triggers it, and one that does not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.checking.check import check
from minicaffe.checking.rules import RULES
from minicaffe.data import mean

DATA = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.0625 } data_param { source: "digits/train" backend: IDX batch_size: 8 } }
layer { name: "test" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.0625 } data_param { source: "digits/test" backend: IDX batch_size: 9 } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "label" top: "loss" }\n'
ACCURACY = """layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""


def conv(bottom: str, more: str = "") -> str:
    return f"""layer {{ name: "conv" type: "Convolution" bottom: "{bottom}" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} {more} }} }}
"""


def inner(name: str, bottom: str, outputs: int, filler: str = 'weight_filler { type: "xavier" }') -> str:
    return f"""layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}"
  inner_product_param {{ num_output: {outputs} {filler} }} }}
"""


def act(name: str, type: str, blob: str, top: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{type}" bottom: "{blob}" top: "{top or blob}" }}\n'


HEAD = inner("ip1", "data", 16) + act("relu", "ReLU", "ip1") + inner("ip2", "ip1", 10)
END = LOSS % "ip2" + ACCURACY
GOOD = DATA + HEAD + END
GONE = GOOD.replace("digits/", "nowhere/")
TOP = inner("ip1", "n", 16) + act("relu", "ReLU", "ip1") + inner("ip2", "ip1", 10) + END
NORM = act("n", "BatchNorm", "conv", "n") + act("s", "Scale", "n")

STILL = "batch_norm_param { use_global_stats: true }"
LISTS = {
    "sorted.txt": [0, 0, 1, 1, 1, 2],
    "mixed.txt": [0, 1, 0, 2, 1],
    "one.txt": [0, 0, 0],
    "short.txt": [0, 1, 2],
}


def listed(name: str, more: str = "") -> str:
    """GOOD with a list of images."""
    data = """layer { name: "data" type: "ImageData" top: "data" top: "label"
      image_data_param { source: "%s" batch_size: 2 %s } transform_param { scale: 0.1 } }\n"""
    return data % (name, more) + HEAD + END


# rule: (net that triggers it, a piece of what is said, the same net without the cause)
CASES = {
    "unknown_type": (
        DATA + HEAD.replace('"ReLU"', '"Relu"') + END,
        r":8: layer 'relu': no layer type 'Relu'; hint: did you mean 'ReLU'",
        GOOD,
    ),
    "missing_bottom": (
        DATA + HEAD.replace('bottom: "data"', 'bottom: "dta"') + END,
        r":6: layer 'ip1': bottom 'dta' is made by no layer before .* did you mean 'data'",
        GOOD,
    ),
    "duplicate_name": (
        DATA + HEAD.replace('name: "ip2"', 'name: "ip1"') + END,
        r"layer 'ip1': another layer, line 6, has this name",
        GOOD,
    ),
    "empty_top": (
        GOOD.replace('"data" type: "Data"', '"data" type: "Data"')
        + 'layer { name: "in" type: "Input" top: "z" input_param { shape { dim: 0 dim: 3 } } }\n'
        + act("q", "Silence", "z").replace(' top: "z"', ""),
        r"layer 'in': top 'z' has the shape \(0, 3\), no elements",
        GOOD,
    ),
    "no_loss": (DATA + HEAD + ACCURACY, "no loss in the training net", GOOD),
    "unused_top": (GOOD + act("t", "TanH", "ip1", "left"), "layer 't': top 'left' is read by nobody", GOOD),
    "too_few_classes": (
        GOOD.replace("num_output: 10", "num_output: 9"),
        "layer 'loss': scores for 9 classes; digits/train has 10; hint: set num_output: 10",
        GOOD,
    ),
    "mirrored_characters": (
        GOOD.replace("scale: 0.0625 }", "scale: 0.0625 mirror: true }", 1),
        "layer 'data': mirror on digits/train",
        GOOD,
    ),
    "raw_pixels": (GOOD.replace("scale: 0.0625", ""), "pixels come in neither scaled nor centred", GOOD),
    "nothing_to_learn": (
        DATA + inner("ip2", "data", 10).replace('top: "ip2"', 'top: "ip2"' + " param { lr_mult: 0 }" * 2)
        + END,
        "no layer has a parameter that is trained",
        DATA + inner("ip2", "data", 10) + END,
    ),
    "constant_weights": (
        DATA + HEAD.replace('weight_filler { type: "xavier" }', "", 1) + END,
        "layer 'ip1': weight_filler is constant 0, the default: nothing can be learned",
        DATA + inner("ip2", "data", 10, "") + END,  # logistic regression may start from 0
    ),
    "not_under_a_loss": (
        GOOD + inner("side", "ip1", 3) + act("q", "Silence", "side").replace(' top: "side"', ""),
        "layer 'side': its parameters stay as they are: no loss depends on them",
        GOOD,
    ),
    "batch_of_one": (
        DATA.replace("batch_size: 8", "batch_size: 1") + conv("data", "bias_term: false") + NORM + TOP,
        "layer 'n': takes its statistics from batches of one",
        DATA + conv("data", "bias_term: false") + NORM + TOP,
    ),
    "statistics_that_never_start": (
        DATA + conv("data", "bias_term: false") + NORM.replace('"BatchNorm"', '"BatchNorm" ' + STILL) + TOP,
        "layer 'n': use_global_stats: true in training",
        DATA + conv("data", "bias_term: false") + NORM + TOP,
    ),
    "statistics_of_the_batch": (
        DATA + conv("data", "bias_term: false")
        + NORM.replace('"BatchNorm"', '"BatchNorm" ' + STILL.replace("true", "false")) + TOP,
        r"layer 'n': use_global_stats: false: an output depends .*\[TEST\]",
        DATA + conv("data", "bias_term: false") + NORM + TOP,
    ),
    "dropped_scores": (
        DATA + HEAD + act("d", "Dropout", "ip2") + END,
        "layer 'd': it wipes out scores of layer 'ip2'",
        DATA + HEAD.replace('"ReLU"', '"Dropout"') + END,
    ),
    "sorted_by_label": (
        listed("sorted.txt"),
        r"layer 'data': .*sorted\.txt lists one class after the other",
        listed("mixed.txt"),
    ),
    "mean_of_another_size": (
        GONE.replace("scale: 0.0625 }", 'mean_file: "mean" crop_size: 7 }'),
        "layer 'data': the mean in mean is 5 x 6, smaller than crop_size 7",
        GONE.replace("scale: 0.0625 }", 'mean_file: "mean" crop_size: 5 }'),
    ),
    "softmax_twice": (
        DATA + HEAD + act("p", "Softmax", "ip2", "p") + END.replace('bottom: "ip2"', 'bottom: "p"', 1),
        "layer 'loss': SoftmaxWithLoss contains a Softmax; it is fed by layer 'p'",
        GOOD,
    ),
    "scores_as_probabilities": (
        GOOD.replace("SoftmaxWithLoss", "MultinomialLogisticLoss"),
        "layer 'loss': takes probabilities; layer 'ip2' makes scores",
        DATA + HEAD + act("p", "Softmax", "ip2", "p")
        + END.replace('bottom: "ip2"', 'bottom: "p"', 1).replace("SoftmaxWith", "MultinomialLogistic"),
    ),
    "activation_on_scores": (
        DATA + HEAD + act("r", "ReLU", "ip2") + END, "the scores go through a ReLU, layer 'r'", GOOD,
    ),
    "batch_norm_without_scale": (
        DATA + conv("data", "bias_term: false") + act("n", "BatchNorm", "conv", "n") + TOP,
        "layer 'n': no Scale behind it",
        DATA + conv("data", "bias_term: false") + NORM + TOP,
    ),
    "bias_before_batch_norm": (
        DATA + conv("data") + NORM + TOP,
        "layer 'conv': BatchNorm 'n' behind it takes its bias away again; hint: bias_term: false",
        DATA + conv("data", "bias_term: false") + NORM + TOP,
    ),
    "dropout_before_batch_norm": (
        DATA + conv("data", "bias_term: false") + act("d", "Dropout", "conv") + NORM + TOP,
        "layer 'd': BatchNorm 'n' sees another variance",
        DATA + conv("data", "bias_term: false") + NORM + act("d", "Dropout", "n") + TOP,
    ),
    "linear_after_linear": (
        DATA + inner("ip1", "data", 16) + inner("ip2", "ip1", 10) + END,
        "layer 'ip2': it follows layer 'ip1' without a nonlinearity",
        GOOD,
    ),
    "skipped_elements": (
        DATA + conv("data", "stride: 4") + act("r", "ReLU", "conv", "n") + TOP,
        "layer 'conv': stride 4 is longer than the kernel, 3",
        GOOD,
    ),
    "no_accuracy": (DATA + HEAD + LOSS % "ip2", "reports a loss, but no accuracy", GOOD),
    "transforms_differ": (
        GOOD.replace("scale: 0.0625", "scale: 0.03125", 1),
        "layer 'test': scale or mean differ from those of layer 'data' in TRAIN, line 2",
        GOOD,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Lists of images, and a mean of 5 x 6."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("a.png")
    for name, labels in LISTS.items():
        Path(name).write_text("".join(f"a.png {label}\n" for label in labels))
    Path("mean").write_bytes(mean.to_blob(np.zeros((1, 5, 6), np.float32)).SerializeToString())


def test_every_rule_has_a_case():
    assert {rule.__name__ for rule in RULES} | {"transforms_differ"} == set(CASES)


def findings(tmp_path, net: str, rule: str) -> list[str]:
    path = tmp_path / "net.prototxt"
    path.write_text(net)
    return [str(finding) for finding in check(str(path)).findings if finding.rule == rule]


@pytest.mark.parametrize("rule", CASES)
def test_rule(rule, tmp_path):
    bad, message, good = CASES[rule]
    found = findings(tmp_path, bad, rule)
    assert any(re.search(message, text) for text in found), found
    assert findings(tmp_path, good, rule) == []


@pytest.mark.parametrize(
    ("rule", "net"),
    [
        ("sorted_by_label", listed("sorted.txt", "shuffle: true")),
        ("sorted_by_label", listed("one.txt")),
        ("sorted_by_label", listed("short.txt")),
        ("sorted_by_label", listed("nowhere.txt")),
        ("sorted_by_label", listed("sorted.txt").replace(" image_", " include { phase: TEST } image_")),
        ("duplicate_name", DATA + HEAD + act("relu", "Dropout", "ip1") + END),
    ],
)
def test_rules_that_hold_their_tongue(rule, net, tmp_path):
    assert findings(tmp_path, net, rule) == []


@pytest.mark.parametrize(
    ("resize", "said"),
    [("height: 8 width: 8", [", the images are 8 x 8"] * 2), ("height: 5 width: 6", [])],
)
def test_a_mean_of_another_size_than_images_are_brought_to(resize, said, tmp_path):
    net = GONE.replace("scale: 0.0625 }", f'mean_file: "mean" resize {{ {resize} }} }}')
    found = findings(tmp_path, net, "mean_of_another_size")
    assert len(found) == len(said) and all(words in text for words, text in zip(said, found))


def test_constant_weights_come_once(tmp_path):
    net = DATA + HEAD.replace('weight_filler { type: "xavier" }', "") + END
    (finding,) = findings(tmp_path, net, "constant_weights")
    assert "layer 'ip1'" in finding and "(and 1 more like it)" in finding


def test_one_name_in_two_layers_without_shapes(tmp_path):
    """Types tell which have weights."""
    net = (HEAD.replace('name: "relu"', 'name: "ip1"') + END).replace('bottom: "data"', 'bottom: "dta"')
    assert len(findings(tmp_path, DATA + net, "duplicate_name")) == 1


def test_batches_of_one_without_shapes(tmp_path):
    net = DATA.replace("batch_size: 8", "batch_size: 1").replace("digits/", "nowhere/").replace("9 }", "1 }")
    (finding,) = findings(tmp_path, net + conv("data", "bias_term: false") + NORM + TOP, "batch_of_one")
    assert "layer 'n'" in finding


def test_the_good_net_is_good(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(GOOD)
    report = check(str(path))
    assert report.findings == []  # IDX and shuffle are no news with a data set that only we have
    strict = check(str(path), strict=True)
    assert {(finding.severity, finding.rule) for finding in strict.findings} == {("error", "extension")}
    assert [state.name for state in report.states] == ["TRAIN", "TEST"] and report.ok
