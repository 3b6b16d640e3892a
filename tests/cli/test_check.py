"""minicaffe check: text, JSON, several files, status."""

from __future__ import annotations

import json

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"


def test_text(capsys):
    result = run(capsys, "check", NET)
    assert result.status == 0 and result.err == ""
    for line in ("TRAIN:", "TEST:", "deploy: none, no Input layers", f"{NET}: ok", "peak 1.6 MiB"):
        assert line in result.out.splitlines()
    row = next(line for line in result.out.splitlines() if line.startswith("conv2"))
    assert row.split() == ["conv2", "Convolution", "64x50x4x4", "25,050", "25,600,000"]


def test_all_files_are_checked_though_one_fails(capsys, tmp_path):
    wrong = tmp_path / "wrong.prototxt"
    wrong.write_text(NET.read_text().replace('"ReLU"', '"Relu"'))
    result = run(capsys, "check", "nowhere.prototxt", wrong, NET, "--json")
    document = json.loads(result.out)
    assert result.status == 1 and result.err == ""
    assert [file["ok"] for file in document["files"]] == [False, False, True]
    assert (document["error"], document["warning"]) == (2, 0)
    missing, unknown, good = document["files"]
    assert missing["findings"][0]["what"].startswith("cannot read nowhere.prototxt")
    assert unknown["findings"][0]["rule"] == "unknown_type" and unknown["states"][0]["bytes"] is None
    state = good["states"][0]
    assert state["bytes"]["total"] > state["bytes"]["planned"] > 0
    assert state["layers"][1]["tops"] == [[64, 20, 8, 8]]
    text = run(capsys, "check", "nowhere.prototxt", NET)
    assert text.status == 1 and "nowhere.prototxt: NOT ok, 1 error" in text.out


def test_strict(capsys):
    result = run(capsys, "check", NET, "--strict")
    assert result.status == 1 and "NOT ok, 3 errors" in result.out


def test_source_of_an_all_in_one_net(capsys):
    path = NET.with_name("all_in_one.prototxt")
    assert "shapes are not known" in run(capsys, "check", path).out
    result = run(capsys, "check", path, "--source", "digits")
    assert result.status == 0 and "deploy:" in result.out.splitlines()


def test_mistakes(capsys):
    result = run(capsys, "check")
    assert result.status == 1 and "name one prototxt at least" in result.err
    assert "no flag '--jsn'; hint: did you mean --json" in run(capsys, "check", NET, "--jsn").err
