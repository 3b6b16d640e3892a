"""minicaffe gradcheck on the embedded digits."""

from __future__ import annotations

import json
import re

import pytest

from minicaffe.layers import resolve

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"
FEW = ("--directions", 1, "--elements", 1)


def test_table(capsys):
    result = run(capsys, "gradcheck", NET, *FEW)
    assert result.status == 0 and result.err == ""
    head, *rows, summary = result.out.splitlines()
    assert head.split() == ["layer", "type", "blob", "checked", "error", "verdict"]
    assert [row.split()[0] for row in rows[:3]] == ["digits", "conv1", "conv1"]
    assert summary.endswith("2 not checked") and "FAIL" not in result.out


def test_one_layer_as_json(capsys):
    result = run(capsys, "gradcheck", NET, *FEW, "--layer", "ip2", "--phase", "TEST", "--json")
    document = json.loads(result.out)
    assert document["failed"] == 0 and [row["blob"] for row in document["rows"]][1:] == ["param 0", "param 1"]
    assert all(row["verdict"] == "ok" and row["checked"] == 2 for row in document["rows"])


def test_deploy_net_on_random_input(capsys):
    assert run(capsys, "gradcheck", NET.with_name("deploy.prototxt"), *FEW, "--layer", "prob").status == 0


def test_a_wrong_gradient_is_status_1(capsys, monkeypatch):
    monkeypatch.setattr(resolve("InnerProduct"), "backward", lambda *arguments: None)
    result = run(capsys, "gradcheck", NET, *FEW, "--layer", "ip1")
    assert result.status == 1 and result.err == ""
    assert "FAIL: the gradient is not finite, or not written" in result.out
    document = json.loads(run(capsys, "gradcheck", NET, *FEW, "--layer", "ip1", "--json").out)
    assert document["failed"] == 3 and document["rows"][0]["error"] is None
    assert document["rows"][0]["element"] == [0, 0, 0, 0] and document["rows"][0]["analytic"] is None
    assert re.search(r"not written; at \(0, 0, 0, 0\) it is nan, differences give -?\d", result.out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a net prototxt"),
        ((NET, "--layer", "ip9"), "the net has no layer 'ip9'; hint: did you mean"),
        ((NET, "--directions", -1), "--directions is -1"),
        ((NET, "--directions", 0, "--elements", 0), "nothing would be checked"),
        (("nowhere.prototxt",), "cannot read nowhere.prototxt"),
        ((NET, "--weights", "nowhere.caffemodel"), "nowhere.caffemodel"),
    ],
)
def test_mistakes(words, message, capsys):
    result = run(capsys, "gradcheck", *words)
    assert result.status == 1 and message in result.err and result.err.count("\n") == 1
