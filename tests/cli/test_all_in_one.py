"""minicaffe train with a net in the place of a solver: all-in-one nets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter
from minicaffe.solvers import all_in_one
from minicaffe.solvers.all_in_one import Wishes

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "all_in_one.prototxt"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_train_and_deploy(capsys):
    trained = run(capsys, "train", NET, "--source", "digits", "--epochs", 5)
    assert trained.status == 0, trained.err
    accuracies = [float(a) for a in re.findall(r"accuracy = (\S+)", trained.err)]
    assert len(accuracies) == 6 and accuracies[-1] > 0.6  # a new seed every time
    assert Path("all_in_one_iter_110.caffemodel").exists()
    net = Net("all_in_one_deploy.prototxt", phase="TEST")
    net.load("all_in_one_iter_110.caffemodel")
    assert net.inputs == ["data"] and net.outputs == ["softmax"]
    assert net.forward(data=np.zeros((1, 1, 8, 8)))["softmax"].sum() == pytest.approx(1)


def test_what_the_command_line_says_comes_first(capsys):
    words = "--source", "digits/train,digits/test", "--num_output", 12, "--batch_size", 100, "--base_lr", 0.02
    result = run(capsys, "train", NET, *words, "--iterations", 1)
    assert result.status == 0
    for line in (
        "base_lr: 0.02",
        "max_iter: 1",
        "num_output: 12",
        "batch_size: 100",
        'source: "digits/test"',
    ):
        assert line in result.err


def test_a_part_of_the_training_data_for_validation():
    net, wishes = read(), Wishes(source="digits/train[:1000], digits/train[1000:]", batch_size=100, epochs=2)
    all_in_one.complete(net, wishes)
    solver = all_in_one.solver_for(net, wishes)
    assert (solver.max_iter, list(solver.test_iter), solver.test_interval) == (20, [5], 10)


def test_a_plain_net_with_phases_trains_too(capsys):
    result = run(capsys, "train", PROTOTXT / "digits" / "train_test.prototxt", "--epochs", 0.1)
    assert result.status == 0 and "accuracy = " in result.err
    assert not Path("train_test_deploy.prototxt").exists()  # it says nothing of deployment


def read() -> NetParameter:
    return text.read(NET, NetParameter)


def test_the_schedule():
    net, wishes = read(), Wishes("digits", epochs=6)
    all_in_one.complete(net, wishes)
    solver = all_in_one.solver_for(net, wishes)
    assert (solver.max_iter, solver.stepsize, solver.test_interval, solver.snapshot) == (132, 44, 22, 22)
    assert list(solver.test_iter) == [6]  # 360 samples in batches of 64
    assert [layer.inner_product_param.num_output for layer in net.layer if layer.name == "ip2"] == [10]


def test_what_the_net_says_stays():
    net = read()
    net.layer[0].data_param.source, net.layer[0].data_param.batch_size = "digits/test", 8
    all_in_one.complete(net, Wishes("digits", batch_size=4))
    assert [layer.data_param.source for layer in net.layer[:2]] == ["digits/test"] * 2
    assert [layer.data_param.batch_size for layer in net.layer[:2]] == [8, 4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (),
            r"all_in_one\.prototxt: layer 'train-data' \(Data\): the net does not say where the training",
        ),
        (("--source", "digits/train"), "layer 'val-data'.*where the validation data is"),
        (("--source", "didgits/train,digits/test"), "no data set and no file 'didgits/train'"),
    ],
)
def test_errors(words, message, capsys):
    result = run(capsys, "train", NET, *words)
    assert result.status == 1 and re.search(message, result.err)
    assert not list(Path().iterdir())


def test_a_solver_takes_no_wishes(capsys):
    result = run(capsys, "train", PROTOTXT / "digits" / "solver.prototxt", "--epochs", 3)
    assert result.status == 1 and "--epochs is for a net; " in result.err


def test_a_net_without_data_to_train_on(capsys):
    Path("net.prototxt").write_text('layer { name: "x" type: "Input" top: "x" }')
    result = run(capsys, "train", "net.prototxt")
    assert result.status == 1 and "net.prototxt: the net has no Data layer for training" in result.err
    assert "hint: give a solver that names the net, or the net a Data layer" in result.err


def test_databases(capsys):
    """The classes of a database are those of its labels."""
    pytest.importorskip("lmdb")
    from minicaffe.data import datasets, datum
    from minicaffe.data.database import DatabaseWriter

    for split, count in (("train", 128), ("test", 20)):
        images, labels = datasets.load(f"digits/{split}")
        with DatabaseWriter(f"{split}_lmdb") as database:
            for image, label in zip(images[:count], labels[:count]):
                database.add(datum.from_array(image, int(label) + 2))
    words = "--source", "train_lmdb,test_lmdb", "--epochs", 1
    result = run(capsys, "train", NET, *words)
    # without shuffle, which is of IDX
    assert result.status == 0, result.err
    for line in ("backend: LMDB", "max_iter: 2", "num_output: 12", "test_iter: 1"):
        assert line in result.err


def test_few_snapshots_stay_unless_the_solver_must_be_caffes():
    net, wishes = read(), Wishes("digits")
    all_in_one.complete(net, wishes)
    assert all_in_one.solver_for(net, wishes).keep_last == all_in_one.KEPT
    assert not all_in_one.solver_for(net, wishes, strict=True).HasField("keep_last")


def test_folders_of_other_classes_are_refused(tmp_path):
    for folder, classes in {"train": "ab", "val": "b", "more": "ab"}.items():
        for name in classes:
            (tmp_path / folder / name).mkdir(parents=True)
            (tmp_path / folder / name / "1.png").write_bytes(b"")
    sources = [f"{tmp_path / folder}" for folder in ("train", "val", "more")]
    net = read()
    with pytest.raises(ConfigError, match=r"train and .*val have different classes: a in one of them alone"):
        all_in_one.complete(net, Wishes(",".join(sources[:2]), num_output=2))
    all_in_one.complete(read(), Wishes(f"{sources[0]}[:50%],{sources[2]}", num_output=2))
