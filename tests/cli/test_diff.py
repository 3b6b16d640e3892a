"""minicaffe diff: files and backends, tables and JSON, exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minicaffe.convert import formats
from minicaffe.proto import binary
from minicaffe.proto.schema import SolverState

from ..convert.files import NET, weights
from ..support.running import run

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def store(path: str, message) -> None:
    Path(path).write_bytes(formats.write(message, path))


def changed(by: float):
    net = weights()
    array = binary.to_array(net.layer[2].blobs[1])
    array[1] += by
    net.layer[2].blobs[1].CopyFrom(binary.from_array(array))
    return net


def test_weights_of_two_formats(capsys):
    store("a.caffemodel", weights())
    store("b.npz", weights())
    assert run(capsys, "diff", "a.caffemodel", "b.npz") == (0, "5 arrays, all equal\n", "")
    store("c.safetensors", changed(0.55))
    result = run(capsys, "diff", "b.npz", "c.safetensors")
    assert result.status == 1
    assert result.out.splitlines() == [
        "array  shape  absolute  relative",
        "bn/1   2          0.55     0.048  at [1]",
        "1 of 5 arrays differ by more than 0; the first: bn/1, 0.048 at [1]",
    ]
    result = run(capsys, "diff", "b.npz", "c.safetensors", "--tolerance=0.05")
    assert result.status == 0 and result.out.endswith("5 arrays, all equal within 0.05\n")


def test_json(capsys):
    store("a.npz", weights())
    net = changed(np.inf)
    del net.layer[1].blobs[1]
    store("b.npz", net)
    result = run(capsys, "diff", "a.npz", "b.npz", "--json")
    content = json.loads(result.out)
    assert result.status == 1 and content["equal"] is False and content["compared"] == ["a.npz", "b.npz"]
    assert content["first"] == content["rows"][1]
    assert content["rows"][1] == {
        "name": "a/b/1",
        "shape": [2],
        "absolute": None,
        "relative": None,
        "worst": [],
        "note": "only in the first",
    }


def test_with_a_net(capsys):
    """Weights whose layers another net shares, or that lie in the file in another order."""
    Path("n.prototxt").write_text(NET)
    store("a.npz", weights())
    store("b.caffemodel", weights())
    result = run(capsys, "diff", "a.npz", "b.caffemodel", "--model", "n.prototxt")
    assert result == (0, "5 arrays, all equal\n", "")


def test_solver_states_of_caffe(capsys):
    a, b = (GOLDEN / f"solvers/snap_adam_iter_{n}.solverstate" for n in (6, 12))
    result = run(capsys, "diff", a, b)
    assert result.status == 1 and result.out.startswith("array") and "\nhistory/0 " in result.out
    assert "13 of 14 arrays differ by more than 0; the first: iter, 0.5 at []" in result.out
    store("s.solverstate.h5", formats.read(a))
    assert run(capsys, "diff", a, "s.solverstate.h5").status == 0


def test_nets_and_solvers(capsys):
    Path("a").write_text(NET)
    Path("b").write_text(NET.replace("num_output: 2", "num_output: 3"))
    assert run(capsys, "diff", "a", "a") == (0, "equal\n", "")
    result = run(capsys, "diff", "a", "b")
    assert result.status == 1
    assert result.out.splitlines() == [
        "layer  field                           first  second",
        "a/b    inner_product_param.num_output  2      3",
        "1 field differs",
    ]
    content = json.loads(run(capsys, "diff", "a", "b", "--json").out)
    assert content["first"]["field"] == "inner_product_param.num_output"
    Path("s").write_text('net: "n" solver_type: ADAM')
    Path("t").write_text('net: "n" type: "Adam"')
    assert run(capsys, "diff", "s", "t").status == 0


def test_backends(capsys):
    filled = 'num_output: 2 weight_filler { type: "xavier" }'
    Path("n").write_text(NET.replace("num_output: 2", filled))
    result = run(capsys, "diff", "--model", "n", "--backends", "cpu,float64", "--phase=TEST")
    assert result.status == 0 and result.out.splitlines()[0].split() == [
        "layer",
        "type",
        "pass",
        "blob",
        "absolute",
        "relative",
    ]
    result = run(capsys, "diff", "--model=n", "--backends=cpu,float64", "--tolerance=1e-12", "--json")
    content = json.loads(result.out)
    assert result.status == 1 and content["first"]["layer"] == "a/b" and content["tolerance"] == 1e-12
    store("w.caffemodel", weights())
    result = run(capsys, "diff", "--model=n", "--weights=w.caffemodel", "--backends=cpu,cpu")
    assert result.status == 0 and result.out.endswith("all equal\n")


def test_backends_on_weights_of_any_format(capsys):
    Path("n").write_text(NET)
    store("w.safetensors", weights())
    command = ["diff", "--model=n", "--weights=w.safetensors", "--backends=cpu,float64", "--phase=TEST"]
    result = run(capsys, *command)
    assert result.status == 0 and result.err == ""
    few = weights()
    del few.layer[2]
    store("w.safetensors", few)
    result = run(capsys, *command)
    assert result.status == 0
    assert "layer bn is not in w.safetensors: its fillers give its weights" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["n"], "takes 2 files; got 1; hint: minicaffe diff A B, or"),
        (["n", "a.npz"], "n holds a net, a.npz weights; hint: compare two of a kind"),
        (["s.solverstate", "a.npz"], "s.solverstate holds a solver state, a.npz weights"),
        (["n", "n", "--tolerance=-1"], "--tolerance must be at least 0; got -1"),
        (["n", "n", "--tolerance=nan"], "--tolerance must be at least 0; got nan"),
        (["n", "n", "--weights", "a.npz"], "--weights goes with --backends"),
        (["n", "n", "--phase", "TEST"], "--phase goes with --backends"),
        (["n", "n", "--seed", "0"], "--seed goes with --backends"),
        (["n", "n", "--stage", "s"], "--stage goes with --model"),
        (["a.npz", "a.npz", "--model=staged", "--stage=s"], "layer 'more' of staged is not in it"),
        (["--backends=cpu,plain"], "--backends takes two names and --model NET, no files"),
        (["--model=n", "--backends=cpu"], "--backends takes two names"),
        (
            ["--model=n", "--backends=cpu,none"],
            "no backend 'none'; hint: known: cpu, exact, float64, gpu, plain, python",
        ),
        (["a.npz", "gone.npz"], "cannot read gone.npz: No such file"),
        (["a.npz", "a.npz", "--model=other"], "a.npz: layer 'more' of other is not in it"),
    ],
)
def test_mistakes(arguments, message, capsys):
    Path("n").write_text(NET)
    Path("other").write_text(NET + 'layer { name: "more" type: "Bias" bottom: "y" top: "z" }')
    more = 'layer { name: "more" type: "Bias" bottom: "y" top: "z" include { stage: "s" } }'
    Path("staged").write_text(NET + more)
    store("a.npz", weights())
    store("s.solverstate", SolverState(iter=1))
    result = run(capsys, "diff", *arguments)
    assert result.status == 1 and result.out == "" and message in result.err
