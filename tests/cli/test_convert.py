"""minicaffe convert: nets and solvers in today's schema, without our extensions if asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter

from ..support.running import run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_solver_without_extensions(capsys):
    Path("in").write_text('net: "n" type: "AdamW" base_lr: 0.1 keep_last: 2 lr_policy: "fixed"')
    result = run(capsys, "convert", "in", "out", "--strip")
    assert result.status == 0
    wanted = ["in: keep_last: removed", "in: type: AdamW: replaced by type: Adam"]
    assert sorted(result.err.splitlines()) == wanted
    wanted = 'net: "n" type: "Adam" base_lr: 0.1 lr_policy: "fixed"'
    assert text.read("out", SolverParameter) == text.parse(wanted, SolverParameter)


def test_an_old_solver_and_an_old_net(capsys):
    Path("in").write_text('net: "n" solver_type: ADAM')
    assert run(capsys, "convert", "in", "-").out == 'net: "n"\ntype: "Adam"\n'
    Path("net").write_text('layers { name: "a" type: RELU bottom: "x" top: "x" }')
    assert run(capsys, "convert", "net", "out").status == 0
    assert text.read("out", NetParameter).layer[0].type == "ReLU"


def test_errors_leave_no_file(capsys):
    Path("in").write_text("nett: 1")
    result = run(capsys, "convert", "in", "out")
    assert result.status == 1 and "has no field 'nett'" in result.err and not Path("out").exists()
    Path("in").write_text("keep_last: 1")
    result = run(capsys, "convert", "in", "out", "--strip")
    assert result.status == 1 and "holds nothing that could be written" in result.err
    Path("in").write_text('net: "n"')
    result = run(capsys, "convert", "in", "gone/out")
    assert result.status == 1 and "cannot write gone/out: No such file" in result.err
