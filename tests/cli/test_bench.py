"""minicaffe bench: its tables, its file for programs, and what it refuses."""

from __future__ import annotations

import json

import pytest

from minicaffe.bench import roof
from minicaffe.bench.roof import Roof

from ..support.running import run

NET = """
name: "tiny"
layer { name: "in" type: "DummyData" top: "x" top: "label"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""
# A contender that computes the net's outputs in NumPy.
RIVAL = """
import numpy as np
def make(job):
    given, weights = np.load(job["inputs"]), np.load(job["weights"])
    x = given[job["names"]["x"]]
    params = [[weights[key] for key in layer["params"]] for layer in job["layers"] if layer["params"]]
    def scores():
        (w1, b1), (w2, b2) = params
        return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2
    def outputs():
        y = scores()
        p = np.exp(y) / np.exp(y).sum(1, keepdims=True)
        if not job["trains"]:
            return {"loss": p * FACTOR, "prob": p * FACTOR}
        return {"": -np.log(p[np.arange(len(x)), given[job["names"]["label"]].astype(int)]).mean() * FACTOR}
    layers = lambda count: {"ip1": {"forward": [1e-3] * count, "backward": [2e-3] * count}}
    return {"version": "numpy", "step": scores, "outputs": outputs, "layers": layers}
"""
SHORT = ("--turns", 2, "--block", "0.001", "--rest", "0", "--passes", 1)


@pytest.fixture(autouse=True)
def known_roof(monkeypatch):
    monkeypatch.setattr(roof, "measure", lambda device: Roof(100e9, 10e9, 20e9))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "mine.py").write_text(RIVAL.replace("FACTOR", "1"))
    (tmp_path / "wrong.py").write_text(RIVAL.replace("FACTOR", "1.5"))
    (tmp_path / "broken.py").write_text("raise RuntimeError('no licence')")
    return tmp_path


def bench(capsys, files, *words):
    return run(capsys, "bench", "net", files / "net.prototxt", *SHORT, *words)


def test_training_beside_others(files, capsys):
    """One that agrees, one that computes something else, one that does not start."""
    beside = ",".join(str(files / name) for name in ("mine.py", "wrong.py", "broken.py"))
    result = bench(capsys, files, "--beside", beside, "--json", files / "out.json")
    assert result.status == 0
    assert "tiny: training with SGD, 4x3, 4; " in result.out
    assert "wrong.py computes something else: its first outputs differ by 5.0e-01" in result.out
    assert "broken.py: RuntimeError: no licence" in result.out
    assert "mine.py computes" not in result.out
    assert "it can do 100 GFLOP/s, read 10.0 GB/s and move 20.0." in result.out
    (row,) = [line for line in result.out.splitlines() if line.startswith("ip1")]
    assert row.split()[-4:] == ["1.000", "2.000", "1.000", "2.000"]
    found = json.loads((files / "out.json").read_text())
    assert found["format"] == 1 and found["kind"] == "net"
    assert found["net"] == {"name": "tiny", "trains": True, "batch": 4, "inputs": {"x": [4, 3], "label": [4]}}
    assert found["roof"]["flops_per_s"] == 100e9
    ours, mine, wrong, broken = found["contenders"]
    assert (ours["name"], ours["of_ours"], ours["difference"]) == ("minicaffe", 1.0, 0.0)
    assert len(ours["blocks"]) == 2 and set(ours["ms"]) == {"median", "min", "p25", "p75", "mean"}
    assert mine["version"] == "numpy" and mine["difference"] < 1e-5 and mine["error"] is None
    assert mine["layers"] == {"ip1": {"forward": 1.0, "backward": 2.0}}
    assert wrong["difference"] == pytest.approx(0.5)
    assert broken["error"] == "RuntimeError: no licence" and broken["ms"] is None
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["ip1"]["forward_flops"] == 2 * 4 * 3 * 5 and layers["ip1"]["backward_ms"]


def test_inference_of_a_net_that_trains(files, capsys):
    """Deployed: no loss, one item unless told; no times of backward."""
    words = ("--phase", "TEST", "--beside", files / "mine.py", "--layer", "ip2")
    result = bench(capsys, files, *words, "--batch", 2)
    assert result.status == 0 and "inference, 2x3; " in result.out
    assert "backward" not in result.out.split("\n\n")[1]
    assert [line for line in result.out.splitlines() if line.startswith("ip")] == [
        line for line in result.out.splitlines() if line.startswith("ip2")
    ]
    assert "computes something else" not in result.out


def test_alone(files, capsys):
    result = bench(capsys, files, "--beside", "none", "--batch", 6, "--type", "Adam")
    assert result.status == 0 and "training with Adam, 6x3, 6" in result.out


def test_what_is_not_installed_is_said(files, capsys, monkeypatch):
    from minicaffe.bench import contest

    monkeypatch.setattr(contest, "installed", lambda python, modules: dict.fromkeys(modules, False))
    result = bench(capsys, files)
    assert result.status == 0
    assert "Note: torch: not installed; --python PYTHON names an interpreter that has it" in result.out
    assert "onnxruntime" not in result.out  # it does not train
    asked = bench(capsys, files, "--beside", "openvino")
    assert "Note: openvino: it does not train; --phase TEST compares inference" in asked.out


@pytest.mark.parametrize(
    "words, said",
    [
        (("--beside", "torhc"), "--beside torhc: no such contender; hint: did you mean 'torch'"),
        (("--beside", "none.py"), "--beside none.py: there is no such file"),
        (("--beside", "."), "--beside .: the folder holds no checkout of minicaffe"),
        (("--layer", "ip3"), "--layer ip3: the net has no such layer"),
        (("--python", "/no/python"), "--python /no/python: it is no Python interpreter that runs"),
        (("--json", "/no/folder/out.json"), "cannot write /no/folder/out.json"),
        (("--turns", "0"), "must be at least 1; got 0"),
        (("--block", "-1"), "must be a number above 0"),
        (("--rest", "-1"), "must be"),
    ],
)
def test_bad_flags(files, capsys, monkeypatch, words, said):
    monkeypatch.chdir(files)
    result = bench(capsys, files, *words)
    assert result.status == 1 and said in result.err


def test_nets_that_cannot_be_timed(tmp_path, capsys):
    path = tmp_path / "net.prototxt"
    path.write_text(NET[: NET.index('layer { name: "loss"')])
    result = run(capsys, "bench", "net", path, "--phase", "TRAIN", *SHORT)
    assert "the net has no loss to train on; hint: --phase TEST times inference" in result.err
    source = 'data_param { source: "nowhere" batch_size: 2 backend: LMDB }'
    path.write_text(
        f'layer {{ name: "d" type: "Data" top: "x" top: "label" {source} }}' + NET.split("\n", 4)[4]
    )
    result = run(capsys, "bench", "net", path, *SHORT)
    assert result.status == 1 and "--shape x=N,C,H,W tells its shape" in result.err


def test_actions(capsys):
    assert "the following arguments are required: net" in run(capsys, "bench").err
    assert "invalid choice: 'nte'" in run(capsys, "bench", "nte").err


def test_a_picture(files, capsys):
    pytest.importorskip("matplotlib")
    words = ("--beside", files / "mine.py", "--turns", 1)
    assert bench(capsys, files, *words, "--roofline", files / "roof.svg").status == 0
    drawn = (files / "roof.svg").read_text()
    assert drawn.startswith("<?xml") and "<!-- 100 GFLOP/s -->" in drawn and "<!-- ip1 -->" in drawn
    wrong = bench(capsys, files, *words, "--roofline", files / "roof.jpg")
    assert wrong.status == 1 and "a picture is .png or .svg" in wrong.err


def measured(path, scale=1.0, **others):
    """A file as `bench net --json` writes it, of one contender and one layer."""
    ms = {"median": 10 * scale, "p25": 9 * scale, "p75": 11 * scale, "min": 8 * scale, "mean": 10 * scale}
    told = {
        "format": 1,
        "kind": "net",
        "machine": {"cpu": "A", "versions": {"numpy": "2"}},
        "net": {"name": "tiny"},
        "contenders": [
            {"name": "minicaffe", "version": "", "ms": ms, "of_ours": 1.0},
            {"name": "torch", "version": "2", "ms": ms, "of_ours": 2 * scale},
            {"name": "broken", "version": "", "ms": None, "of_ours": None},
        ],
        "layers": [{"name": "ip", "forward_ms": ms, "backward_ms": None}],
    }
    path.write_text(json.dumps(told | others))
    return path


def test_two_files_are_compared(tmp_path, capsys):
    before = measured(tmp_path / "a.json")
    after = measured(tmp_path / "b.json", 0.5, machine={"cpu": "B", "versions": {"numpy": "2"}})
    lines = run(capsys, "bench", "compare", before, after).out.splitlines()
    rows = [line.split(maxsplit=4)[-4:] for line in lines[1:4]]
    assert [line.split()[0] for line in lines[1:4]] == ["minicaffe", "torch", "ip,"]
    assert rows[0] == ["10.000", "5.000", "0.500", "faster"] and lines[3].endswith("faster")
    assert "Note: machine: cpu is B, was A" in lines
    assert "Note: torch takes 1.00 times as long as ours, took 2.00" in lines
    again = run(capsys, "bench", "compare", before, measured(tmp_path / "c.json", 1.05)).out
    assert again.count("within the spread") == 3 and "slower" not in again
    assert run(capsys, "bench", "compare", after, before).out.count("slower") == 3


def test_files_that_cannot_be_compared(tmp_path, capsys):
    good = measured(tmp_path / "good.json")
    bad = tmp_path / "bad.json"
    for content, said in [
        ("{", "bad.json is not JSON"),
        ("[1]", "was not written by minicaffe bench net or kernel with --json"),
        ('{"kind": "net", "format": 99}', "has the format 99; this program reads 1"),
        ('{"kind": "kernel", "format": 1, "calls": []}', "is of a net"),
        ('{"kind": "net", "format": 1}', "a field is missing"),
        ('{"kind": "net", "format": 1, "contenders": [], "layers": []}', "time nothing that is the same"),
    ]:
        bad.write_text(content)
        result = run(capsys, "bench", "compare", good, bad)
        assert result.status == 1 and said in result.err, content
    assert "cannot read" in run(capsys, "bench", "compare", good, tmp_path / "none.json").err
