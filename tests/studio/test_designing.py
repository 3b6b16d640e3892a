"""The verdict on a text: places, fixes, graph, costs, and what may not be named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe import zoo
from minicaffe.errors import ConfigError
from minicaffe.proto import text as prototxt
from minicaffe.proto.schema import NetParameter
from minicaffe.studio import designing, pace
from minicaffe.studio.netview import view


@pytest.fixture
def bounds(tmp_path):
    return {
        "folder": str(tmp_path),
        "scratch": str(tmp_path / ".studio"),
        "roots": [str(tmp_path)],
        "allow_python_layers": False,
    }


def template(name: str, file: str) -> str:
    return next(path for path in zoo.entry(name).files if path.stem == file).read_text()


NET = template("digits", "train_test")
SOLVER = template("digits", "solver")


def replaced(text: str, fix: dict) -> str:
    """The text behind a fix of the kind "replace"."""
    lines = text.split("\n")
    line, at = lines[fix["line"] - 1], fix["column"] - 1
    lines[fix["line"] - 1] = line[:at] + fix["text"] + line[at + fix["length"] :]
    return "\n".join(lines)


def test_a_net_without_errors(bounds):
    answer = designing.verdict(NET, "TRAIN", bounds, SOLVER)
    assert (
        answer["ok"] and answer["name"] == "LeNet-digits" and answer["phases"] == ["TRAIN", "TEST", "deploy"]
    )
    assert [f for f in answer["findings"] if f["severity"] == "error"] == []
    nodes = answer["graph"]["nodes"]
    assert [node["name"] for node in nodes] == [
        "digits",
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "ip1",
        "ip2",
        "loss",
    ]
    conv = nodes[1]
    assert conv["shapes"] == [[64, 20, 8, 8]] and conv["parameters"] == 520
    assert [each["name"] for each in nodes[5]["attached"]] == ["relu1"]
    lines = NET.split("\n")
    for node in nodes:
        assert lines[node["line"] - 1].startswith("layer")
        assert f'name: "{node["name"]}"' in "\n".join(lines[node["line"] - 1 :][:3])
    cost = answer["cost"]
    assert cost["parameters"] == sum(node["parameters"] for node in nodes)
    assert cost["backward"] > cost["forward"] > 0 and cost["batch"] == 64


def test_phases(bounds):
    names = {}
    for phase in designing.PHASES:
        answer = designing.verdict(NET, phase, bounds)
        assert answer["phase"] == phase
        names[phase] = [node["name"] for node in answer["graph"]["nodes"]]
        assert (answer["cost"]["backward"] > 0) == (phase == "TRAIN")
    assert "accuracy" in names["TEST"] and "accuracy" not in names["TRAIN"]
    assert "prob" in names["deploy"] and "loss" not in names["deploy"]


@pytest.mark.parametrize(
    ("right", "wrong", "line_of"),
    [
        ("num_output: 20", "num_outputs: 20", "num_outputs"),
        ("pool: MAX", "pool: MXA", "MXA"),
        ('type: "Data"', "type: Data", "type: Data"),
        ('type: "Pooling"', 'type: "Poolng"', "Poolng"),
    ],
)
def test_a_slip_has_a_place_and_a_fix(bounds, right, wrong, line_of):
    """A fix of a text that cannot be read makes it what it was; one of a layer says what to set."""
    text = NET.replace(right, wrong, 1)
    answer = designing.verdict(text, "TRAIN", bounds)
    assert not answer["ok"]
    found = answer["findings"][0]
    wanted = next(i for i, line in enumerate(text.split("\n"), 1) if line_of in line)
    fix = found["fixes"][0]
    if fix["op"] == "replace":
        assert found["line"] == wanted and found["column"] > 0
        assert replaced(text, fix) == NET
    else:
        assert wanted - 3 <= found["line"] <= wanted
        assert (fix["path"], fix["value"]) == (["type"], '"Pooling"')
        assert list(prototxt.layer_starts(text))[fix["index"]] == (found["layer"], found["line"])


def test_all_slips_of_a_text_are_listed(bounds):
    text = NET.replace("num_output", "num_outputs")
    answer = designing.verdict(text, "TRAIN", bounds)
    lines = [i for i, line in enumerate(text.split("\n"), 1) if "num_outputs" in line]
    assert [found["line"] for found in answer["findings"]] == lines and len(lines) == 4
    for found in reversed(answer["findings"]):
        text = replaced(text, found["fixes"][0])
    assert text == NET and answer["graph"] is None


def test_a_brace_is_missing(bounds):
    answer = designing.verdict(NET.rstrip().removesuffix("}"), "TRAIN", bounds)
    (found,) = answer["findings"]
    assert "brace" in found["hint"] and found["line"] > 0


def test_a_bottom_that_nobody_makes(bounds):
    text = NET.replace('bottom: "pool1"', 'bottom: "poll1"')
    found = designing.verdict(text, "TRAIN", bounds)["findings"][0]
    assert (found["rule"], found["layer"]) == ("missing_bottom", "conv2")
    assert found["fixes"][0]["path"] == [["bottom", 0]] and found["fixes"][0]["value"] == '"pool1"'
    graph = designing.verdict(text, "TRAIN", bounds)["graph"]
    assert "outside" in [node["kind"] for node in graph["nodes"]]


def test_rules_that_say_what_to_set(bounds):
    norm = 'layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" }\nlayer {\n  name: "pool1"'
    text = NET.replace('layer {\n  name: "pool1"', norm)
    assert text != NET
    rules = {found["rule"]: found for found in designing.verdict(text, "TRAIN", bounds)["findings"]}
    fix = rules["bias_before_batch_norm"]["fixes"][0]
    assert (fix["path"], fix["value"]) == (["convolution_param", "bias_term"], "false")
    assert list(prototxt.layer_starts(text))[fix["index"]][0] == "conv1"


def test_solvers(bounds):
    def of(solver: str) -> list[dict]:
        found = designing.verdict(NET, "TRAIN", bounds, solver)["findings"]
        return [each for each in found if each["file"] == "solver"]

    assert [each for each in of(SOLVER) if each["severity"] == "error"] == []
    (found,) = of(SOLVER.replace("base_lr: 0.01", "base_lr: 0"))[:1]
    assert SOLVER.split("\n")[found["line"] - 1].startswith("base_lr")
    assert found["fixes"][0] == {
        "index": -1,
        "op": "set",
        "path": ["base_lr"],
        "value": "0.01",
        "label": "base_lr: 0.01",
    }
    (found,) = of(SOLVER.replace("gamma", "gamma_"))[:1]
    assert found["line"] == next(
        i for i, line in enumerate(SOLVER.split("\n"), 1) if line.startswith("gamma")
    )
    assert "weights" in of(SOLVER + '\nweights: "/etc/passwd"')[0]["message"]


def test_files_outside_are_refused_and_the_rest_is_judged(bounds):
    text = NET.replace('"digits/train"', '"/etc/secret"').replace("backend: IDX", "backend: LMDB", 1)
    text = text.replace("data_param { source", "transform_param { crop_size: 8 } data_param { source", 1)
    text = text.replace("transform_param { scale: 0.0625 }", "", 1)
    answer = designing.verdict(text, "TRAIN", bounds)
    assert [f["rule"] for f in answer["findings"] if f["severity"] == "error"] == ["not_allowed"]
    found = answer["findings"][0]
    assert "/etc/secret" in found["message"] and found["line"] == next(prototxt.layer_starts(text))[1]
    assert answer["cost"]["parameters"] and not answer["ok"]
    assert designing.ABSENT not in str(answer)


def test_python_layers_are_shown_and_not_run(bounds, tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit(3)")
    layer = 'name: "p" type: "Python" bottom: "ip2" top: "p" python_param { module: "evil" layer: "E" }'
    text = f"{NET}\nlayer {{ {layer} }}"
    answer = designing.verdict(text, "TRAIN", bounds)
    assert [found["rule"] for found in answer["findings"]] == ["not_allowed"]
    assert "p" in [node["name"] for node in answer["graph"]["nodes"]] and answer["cost"] is None


def test_nothing_of_the_workers_folder_is_told(bounds):
    for text in (NET.replace("20", "-20"), "layer {", 'layer { name: "x" type: "Nope" }', ""):
        assert "minicaffe-design-" not in str(designing.verdict(text, "TRAIN", bounds, "net: 1"))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_verdict(text):
    bounds = {"folder": "/nowhere", "scratch": "/nowhere/.studio", "roots": [], "allow_python_layers": False}
    answer = designing.verdict(text, "TRAIN", bounds, text)
    assert isinstance(answer["findings"], list)


def test_phases_are_three(bounds):
    with pytest.raises(ConfigError, match="no phase 'VAL'"):
        designing.verdict(NET, "VAL", bounds)


def test_edges_say_which_blobs_pass():
    param = prototxt.parse(
        """layer { name: "d" type: "Input" top: "a" top: "b" }
        layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
        layer { name: "d" type: "Eltwise" bottom: "a" bottom: "b" bottom: "a" top: "c" }
        layer { name: "e" type: "Eltwise" bottom: "c" bottom: "far" top: "e" }""",
        NetParameter,
    )
    graph = view(list(param.layer), [(i, i + 1) for i in range(4)], [])
    names = [node["name"] for node in graph["nodes"]]
    assert names == ["d", "d", "far", "e"]
    assert {(edge["from"], edge["to"]): edge["blobs"] for edge in graph["edges"]} == {
        (0, 1): ["a", "b"],
        (1, 3): ["c"],
        (2, 3): ["far"],
    }
    assert [node["index"] for node in graph["nodes"]] == [0, 2, -1, 3]


def test_a_drawing(bounds):
    answer = designing.network(NET, "TEST", "dark", bounds)
    assert answer["svg"].lstrip().startswith("<") and "conv1" in answer["svg"]
    assert "accuracy" in [node["name"] for node in answer["graph"]["nodes"]]


def test_what_a_step_takes_at_least(tmp_path):
    measured = {"flops_per_s": 1e9, "read_bytes_per_s": 1e9, "moved_bytes_per_s": 2e9, "threads": 2}
    assert pace.kept(tmp_path) is None
    pace.keep(tmp_path, measured)
    assert pace.kept(tmp_path) == measured
    assert pace.least_step_s({"forward": 1e9, "backward": 2e9, "moved": 0}, measured) == 6.0
    assert pace.least_step_s({"forward": 0, "backward": 0, "moved": 4e9}, measured) == 2.0
    Path(tmp_path, pace.FILE).write_text("{}")
    assert pace.kept(tmp_path) is None
