"""Event files hold the numbers that were displayed."""

from __future__ import annotations

import struct
import sys

import pytest

from minicaffe.errors import ConfigError, DataError
from minicaffe.runs.tensorboard import TensorBoard

from ..support.solving import tiny_solver

SETTINGS = "max_iter: 3 display: 1 test_iter: 1 test_interval: 2 snapshot_after_train: false"


def test_scalars(tmp_path):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    solver = tiny_solver(SETTINGS, callbacks=[TensorBoard(tmp_path)])
    solver.solve()
    (path,) = tmp_path.iterdir()
    data, found = path.read_bytes(), {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = event_pb2.Event.FromString(data[12 : 12 + length])
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
        data = data[16 + length :]
    assert set(found) == {"lr", "train/loss", "train/smoothed_loss", "test0/accuracy", "test0/loss"}
    assert found["lr"] == {i: pytest.approx(0.1) for i in range(4)}
    assert found["train/smoothed_loss"][3] == pytest.approx(solver.shown.loss)
    assert set(found["test0/accuracy"]) == {0, 2}


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(ConfigError, match=r"not installed; hint: pip install 'minicaffe\[tensorboard\]'"):
        TensorBoard(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write event files into"):
        TensorBoard(tmp_path / "file" / "x")


def test_a_full_disk_ends_the_file_not_the_training(tmp_path, caplog):
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path)

    class Full:
        def write_event(self, event):
            raise OSError(28, "No space left on device")

        flush = close = write_event

    board.writer = Full()
    solver = tiny_solver(SETTINGS, callbacks=[board])
    solver.solve()
    assert solver.iteration == 3
    said = [record for record in caplog.records if "cannot write event files" in record.getMessage()]
    assert len(said) == 1 and "training goes on without them" in said[0].getMessage()
