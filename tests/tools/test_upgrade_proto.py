"""upgrade_{net_proto_text,net_proto_binary,solver_proto_text}: Caffe's results and statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicaffe.proto import binary, text, upgrade
from minicaffe.proto.schema import NetParameter, SolverParameter

from ..support.running import ROOT, run

GOLDEN = Path(__file__).parent.parent / "golden" / "upgrade"
NETS = sorted(path for path in GOLDEN.glob("*.in.prototxt") if not path.name.startswith("solver"))
SOLVERS = sorted(GOLDEN.glob("solver*.in.prototxt"))
SCRIPTS = ["upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text"]


def name(path: Path) -> str:
    return path.name.split(".")[0]


def wanted(path: Path, kind):
    return text.read(path.with_name(path.name.replace(".in.", ".out.")), kind)


@pytest.mark.parametrize("path", NETS, ids=name)
def test_nets_become_what_caffe_makes_of_them(path, tmp_path, capsys):
    out = tmp_path / "out"
    result = run(capsys, "upgrade_net_proto_text", path, out)
    assert result.status == 0 and f"Wrote upgraded NetParameter text proto to {out}" in result.err
    assert text.read(out, NetParameter) == wanted(path, NetParameter)

    old = tmp_path / "old.caffemodel"
    old.write_bytes(text.read(path, NetParameter).SerializeToString())
    result = run(capsys, "upgrade_net_proto_binary", old, out)
    assert result.status == 0 and f"Wrote upgraded NetParameter binary proto to {out}" in result.err
    assert binary.read(out, NetParameter) == wanted(path, NetParameter)


@pytest.mark.parametrize("path", SOLVERS, ids=name)
def test_solvers_become_what_caffe_makes_of_them(path, tmp_path, capsys):
    result = run(capsys, "upgrade_solver_proto_text", path, tmp_path / "out")
    assert result.status == 0 and "already in latest" not in result.err
    assert text.read(tmp_path / "out", SolverParameter) == wanted(path, SolverParameter)


def test_weights_stay(tmp_path, capsys):
    old = text.parse('layers { name: "ip" type: INNER_PRODUCT }', NetParameter)
    values = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    old.layers[0].blobs.append(binary.from_array(values))
    path = tmp_path / "net.caffemodel"
    path.write_bytes(old.SerializeToString())
    assert run(capsys, "upgrade_net_proto_binary", path, path).status == 0  # in place
    (layer,) = binary.read(path, NetParameter).layer
    assert layer.type == "InnerProduct"
    np.testing.assert_array_equal(binary.to_array(layer.blobs[0]), values)


@pytest.mark.parametrize(
    ("command", "content"),
    [
        ("upgrade_net_proto_text", 'layer { name: "a" type: "ReLU" bottom: "x" top: "x" }'),
        (
            "upgrade_net_proto_text",
            'layer { name: "a" type: "BatchNorm" bottom: "x" top: "x"'
            + " param { lr_mult: 0 decay_mult: 0 }" * 3
            + " }",
        ),
        ("upgrade_solver_proto_text", 'net: "n" type: "Adam"'),
        ("upgrade_solver_proto_text", 'net_param { layer { name: "a" type: "ReLU" bottom: "x" top: "x" } }'),
    ],
)
def test_current_files_are_written_as_they_are(command, content, tmp_path, capsys):
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text(content)
    kind = SolverParameter if "solver" in command else NetParameter
    result = run(capsys, command, path, out)
    assert result.status == 0 and f"File already in latest proto format: {path}" in result.err
    assert text.read(out, kind) == text.read(path, kind)


def test_statistics_that_were_trained_are_an_upgrade(tmp_path, capsys):
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text('layer { name: "a" type: "BatchNorm" ' + "param { lr_mult: 0 } " * 3 + "}")
    assert "already in latest" not in run(capsys, "upgrade_net_proto_text", path, out).err
    assert upgrade.is_current(text.read(out, NetParameter))  # decay_mult, 1 if not set, is 0 now


def test_what_is_lost_is_named_and_the_rest_written(tmp_path, capsys):
    path, out = tmp_path / "in", tmp_path / "out"
    old = 'input: "x" layers { bottom: "x" top: "y" layer { name: "a" type: "relu" num_output: 3 } }'
    path.write_text(old)
    result = run(capsys, "upgrade_net_proto_text", path, out)
    assert result.status == 1
    assert "layer 'a': num_output has no meaning for type 'relu' and is dropped" in result.err
    assert "Encountered error(s) while upgrading prototxt; see details above." in result.err
    assert text.read(out, NetParameter).layer[0].type == "ReLU"

    path.write_text(f"net_param {{ {old} }}")
    out.unlink()
    assert run(capsys, "upgrade_solver_proto_text", path, out).status == 1
    assert text.read(out, SolverParameter).net_param.layer[0].type == "ReLU"


@pytest.mark.parametrize("command", SCRIPTS)
def test_what_cannot_be_read_has_status_2(command, tmp_path, capsys):
    path, out = tmp_path / "in", tmp_path / "out"
    result = run(capsys, command, path, out)
    assert result.status == 2 and f"cannot read {path}: No such file" in result.err
    path.write_bytes(b"nett: 1\xff")
    result = run(capsys, command, path, out)
    assert result.status == 2 and result.err.startswith(f"minicaffe {command}: error: {path}")
    assert not out.exists()


def test_what_cannot_be_upgraded_or_written_has_status_1_and_leaves_no_file(tmp_path, capsys):
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text('layers { bottom: "x" top: "y" layer { name: "a" type: "rellu" } } input: "x"')
    result = run(capsys, "upgrade_net_proto_text", path, out)
    assert result.status == 1 and not out.exists()
    assert (
        f"{path}: layer 'a': no layer type 'rellu' in the first schema; hint: did you mean 'relu"
        in result.err
    )

    path.write_text("solver_type: ADAM type: 'SGD'")
    result = run(capsys, "upgrade_solver_proto_text", path, out)
    assert result.status == 1 and f"{path}:1: both solver_type and type are set" in result.err

    path.write_text("net: 'n'")
    result = run(capsys, "upgrade_solver_proto_text", path, tmp_path / "none" / "out")
    assert result.status == 1 and "none/out: No such file or directory" in result.err
    result = run(capsys, "upgrade_solver_proto_text", path, tmp_path)
    assert result.status == 1 and f"cannot write {tmp_path}: Is a directory" in result.err
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", SCRIPTS)
def test_usage(command, capsys):
    result = run(capsys, command, "in")
    assert result.status == 1 and f"hint: see minicaffe {command} --help" in result.err


def test_scripts_are_the_commands(tmp_path):
    path, out = tmp_path / "in", tmp_path / "out"
    path.write_text("solver_type: ADAM")
    script = ROOT / "tools" / "upgrade_solver_proto_text.py"
    status = subprocess.run([sys.executable, script, path, out], env={"PYTHONPATH": str(ROOT)}, check=False)
    assert status.returncode == 0 and out.read_text() == 'type: "Adam"\n'
    for command in [*SCRIPTS, "extract_features"]:
        assert f'main(["{command}", *sys.argv[1:]])' in (ROOT / "tools" / f"{command}.py").read_text()
