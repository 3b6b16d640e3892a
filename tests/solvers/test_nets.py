"""Where the nets of a solver are looked for, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from minicaffe.checking import reading
from minicaffe.checking.summary import state_of
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers import nets
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET

SOLVER = 'base_lr: 0.1 lr_policy: "fixed" random_seed: 1 net: '


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "repo").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def write(path: str, name: str) -> None:
    net = text.parse(TINY_NET, SolverParameter).net_param
    net.name = name
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text.spell(net))


@pytest.mark.parametrize(
    "named, lie, taken, said",
    [
        ("net", ["net"], "net", ""),
        ("a/net", ["../repo/a/net"], "../repo/a/net", "taken from beside the solver"),
        ("examples/x/net", ["../repo/net"], "../repo/net", "taken from beside the solver"),
        (r"E:\\caffe\\net", ["../repo/net"], "../repo/net", "taken from beside the solver"),
        ("/gone/net", ["../repo/net"], "../repo/net", "taken from beside the solver"),
        ("net", ["net", "../repo/net"], "net", "beside the solver lies another"),
        ("a/net", ["a/net", "../repo/net"], "a/net", "beside the solver lies another"),
        ("net", ["../repo/net", "net/x"], "../repo/net", "taken from beside the solver"),
    ],
)
def test_the_net_of_a_solver(named, lie, taken, said, caplog):
    """The working folder's first, as in Caffe; then beside the solver; the same for every command."""
    for path in lie:
        write(path, path)
    Path("../repo/solver.prototxt").write_text(f'{SOLVER} "{named}"')
    with caplog.at_level("INFO", "minicaffe"):
        solver = Solver.create("../repo/solver.prototxt")
    lines = [record.getMessage() for record in caplog.records]
    assert solver.net.name == taken and f"Creating training net from net file: {taken}" in lines
    told = [line for line in lines if "beside the solver" in line]
    assert len(told) == bool(said) and all(said in line for line in told)
    assert reading.read("../repo/solver.prototxt").states[0].param.name == taken
    assert state_of("../repo/solver.prototxt")[0].param.name == taken


def test_two_that_are_equal_are_one(caplog):
    for path in ("net.prototxt", "../repo/net.prototxt"):
        write(path, "same")
    assert nets.find("net.prototxt", "../repo/solver.prototxt", tell=True) == "net.prototxt"
    assert not caplog.records


def test_the_places_that_were_looked_in():
    for name in ("gone.prototxt", "a" * 5000, "nul\0"):
        assert nets.find(name, "../repo/solver.prototxt") == name


def test_lines_about_nets_are_caffes(caplog):
    write("net.prototxt", "one")
    write("test.prototxt", "two")
    param = text.parse(
        f'{SOLVER} "net.prototxt" test_net: "test.prototxt" test_iter: 1 test_iter: 1 test_interval: 1',
        SolverParameter,
    )
    with caplog.at_level("INFO", "minicaffe"):
        Solver.create(param)
        Solver.create(text.parse(TINY_NET + SOLVER.removesuffix("net: "), SolverParameter))
    assert [r.getMessage() for r in caplog.records if r.getMessage().startswith("Creating t")] == [
        "Creating training net from net file: net.prototxt",
        "Creating test net (#0) specified by test_net file: test.prototxt",
        "Creating test net (#1) specified by net file: net.prototxt",
        "Creating training net specified in net_param.",
    ]
