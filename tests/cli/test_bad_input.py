"""Bad input: one line that names the place and the remedy, exit status 1, nothing half-written."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

import minicaffe.data

from ..support.running import run

DIGITS = Path(minicaffe.data.__file__).parent / "digits"
NET = """
layer {{ name: "in" type: "Data" top: "data" top: "label" transform_param {{ scale: 0.0625 }}
  data_param {{ source: "{source}" backend: IDX batch_size: 10 }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param {{ num_output: {classes} weight_filler {{ type: "xavier" }} }} }}
layer {{
  name: "loss" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "loss"
}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the digits' files in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINICAFFE_DATA", raising=False)
    for path in DIGITS.glob("*.gz"):
        shutil.copy(path, tmp_path)
    return tmp_path


def train(capsys, source="train-images-idx3-ubyte.gz", classes=10, bottom="ip", solver="") -> str:
    """The error line of a training run on a broken set-up."""
    Path("net.prototxt").write_text(NET.format(source=source, classes=classes, bottom=bottom))
    settings = {"net": '"net.prototxt"', "base_lr": "0.1", "lr_policy": '"fixed"', "max_iter": "50"}
    lines = [f"{name}: {value}" for name, value in settings.items() if f"{name}:" not in solver]
    Path("solver.prototxt").write_text("\n".join([*lines, solver]))
    before = set(Path().iterdir())
    result = run(capsys, "train", "solver.prototxt")
    assert result.status == 1 and result.out == ""
    errors = [line for line in result.err.splitlines() if not line[1:5].isdigit()]  # not the log
    assert len(errors) == 1 and errors[0].startswith("minicaffe train: error: "), result.err
    assert "Traceback" not in result.err
    assert set(Path().iterdir()) == before
    return errors[0]


def images(folder: Path) -> Path:
    return folder / "train-images-idx3-ubyte.gz"


def test_truncated_idx(folder, capsys):
    whole = gzip.decompress(images(folder).read_bytes())
    images(folder).write_bytes(gzip.compress(whole[:-100]))
    error = train(capsys)
    assert (
        "train-images-idx3-ubyte.gz" in error and "layer 'in' (Data)" in error and "net.prototxt:2" in error
    )


def test_truncated_gzip(folder, capsys):
    images(folder).write_bytes(images(folder).read_bytes()[:1000])
    assert "train-images-idx3-ubyte.gz" in train(capsys)


def test_wrong_magic(folder, capsys):
    images(folder).write_bytes(gzip.compress(b"PNG!" + bytes(100)))
    assert "train-images-idx3-ubyte.gz" in train(capsys)


def test_images_and_labels_that_do_not_match(folder, capsys):
    shutil.copy(folder / "test-labels-idx1-ubyte.gz", folder / "train-labels-idx1-ubyte.gz")
    error = train(capsys)
    assert "1437" in error and "360" in error


def test_missing_file(folder, capsys):
    assert "gone-images-idx3-ubyte" in train(capsys, source="gone-images-idx3-ubyte")


def test_unknown_data_set(folder, capsys):
    assert "did you mean" in train(capsys, source="mnist/tran")


def test_label_outside_the_classes(folder, capsys):
    error = train(capsys, classes=5)
    assert "layer 'loss' (SoftmaxWithLoss)" in error and "label" in error and "5" in error


def test_bottom_that_does_not_exist(folder, capsys):
    error = train(capsys, bottom="ip1")
    assert (
        "net.prototxt:6: layer 'loss' (SoftmaxWithLoss): bottom 0 'ip1'" in error
        and "did you mean 'ip'" in error
    )


def test_solver_without_net(folder, capsys):
    assert "none of net, net_param" in train(capsys, solver="# net: none")


def test_net_file_missing(folder, capsys):
    assert "net 'lenet.prototxt' does not exist" in train(capsys, solver='net: "lenet.prototxt"')


def test_unwritable_snapshot_folder(folder, capsys):
    Path("file").write_text("")
    error = train(capsys, solver='snapshot: 10 snapshot_prefix: "file/x"')
    assert "solver.prototxt" in error and "cannot write snapshots as file/x_iter_N" in error


def test_misspelt_field_in_the_solver(folder, capsys):
    error = train(capsys, solver="momentun: 0.9")
    assert (
        "solver.prototxt:5:1: SolverParameter has no field 'momentun'; hint: did you mean 'momentum'" in error
    )


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x0a\x05LeN"])
def test_damaged_weights(content, folder, capsys):
    Path("bad.caffemodel").write_bytes(content)
    if content:
        assert "bad.caffemodel" in train(capsys, solver='weights: "bad.caffemodel"')


def test_weights_of_another_shape(folder, capsys):
    Path("net.prototxt").write_text(NET.format(source="digits/train", classes=10, bottom="ip"))
    Path("solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "p"'
    )
    assert run(capsys, "train", "solver.prototxt").status == 0
    error = train(capsys, classes=12, solver='weights: "p_iter_1.caffemodel"')
    for part in ("p_iter_1.caffemodel", "layer 'ip' (InnerProduct)", "parameter 0", "(10, 64)", "(12, 64)"):
        assert part in error


WITH_A_FILE = """train --solver NAME; train --solver solver --snapshot NAME; train --solver solver --run
    NAME; test --model NAME --weights w; test --model net --weights NAME; time --model NAME;
    check NAME; summary NAME; draw NAME out.svg; draw net NAME.svg; convert NAME out;
    convert net NAME; diff NAME net; runs NAME; run NAME stop; plot NAME; data info NAME;
    replay NAME; gradcheck NAME; compute_image_mean NAME out; upgrade_net_proto_text NAME
    out; extract_features NAME net ip out 1; convert_imageset / NAME out"""


@pytest.mark.parametrize("name", ["a\0b", "n" * 300, "/" + "n" * 5000], ids=["NUL", "long", "longer"])
@pytest.mark.parametrize("command", [" ".join(command.split()) for command in WITH_A_FILE.split(";")])
def test_names_that_no_file_can_have(command, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net").write_text(
        'layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 2 } } }'
        'layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "y" }'
    )
    Path("solver").write_text('net: "net" base_lr: 0.1 lr_policy: "fixed" max_iter: 0 snapshot_prefix: "s"')
    result = run(capsys, *[word.replace("NAME", name) for word in command.split()])
    assert result.status in (1, 2) and "\0" not in result.out + result.err
    assert "NOT ok" in result.out or "error: " in result.err.splitlines()[-1]
