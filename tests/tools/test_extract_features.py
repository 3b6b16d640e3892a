"""extract_features: blobs of a net in databases, a record for every image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe import Net
from minicaffe.cli.extract_features import records
from minicaffe.core.blob import Blob
from minicaffe.data import datum
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ShapeError

from ..support import emulator
from ..support.emulator.cupy import install
from ..support.running import run

lmdb = pytest.importorskip("lmdb")

NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
        transform_param { scale: 0.0625 } data_param { source: "digits/test" backend: IDX batch_size: 7 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "again" type: "Reduction" bottom: "conv" top: "again" }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A net and its weights, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Path("w.caffemodel").write_bytes(Net("net.prototxt", seed=1).to_message().SerializeToString())


def read(path: str) -> dict[bytes, datum.Message]:
    with lmdb.open(path, readonly=True, lock=False) as store, store.begin() as transaction:
        return {bytes(key): datum.parse(value) for key, value in transaction.cursor()}


def extract(capsys, *words: object):
    return run(capsys, "extract_features", "w.caffemodel", "net.prototxt", *words)


def test_features_are_the_blobs_of_a_forward(capsys):
    result = extract(capsys, "conv,ip,label,loss", "a,b,c,d", 3, "lmdb", "CPU")
    assert result.status == 0, result.err
    net = Net("net.prototxt", phase="TEST")
    net.load("w.caffemodel")
    batches = []
    for _ in range(3):
        net.forward()
        batches.append({name: np.array(net.blobs[name].data) for name in ("conv", "ip", "label", "loss")})
    for name, path in zip(batches[0], "abcd"):
        images = [image for batch in batches for image in np.atleast_1d(batch[name])]
        stored = read(path)
        assert list(stored) == [b"%010d" % i for i in range(3 if name == "loss" else 21)]
        for image, record in zip(images, stored.values(), strict=True):
            shape = (*image.shape, 1, 1, 1)[:3]
            assert (record.channels, record.height, record.width) == shape
            assert not record.HasField("label") and not record.data
            np.testing.assert_array_equal(datum.to_array(record), image.reshape(shape))


def test_on_an_emulated_gpu(capsys, monkeypatch):
    if not emulator.available():
        pytest.skip("the CUDA emulator needs Linux and g++")
    install(monkeypatch)
    assert extract(capsys, "ip", "cpu", 1, "lmdb").status == 0
    result = extract(capsys, "ip", "gpu", 1, "lmdb", "GPU", 0)
    assert result.status == 0 and "Using Device_id=0" in result.err, result.err
    for one, other in zip(read("cpu").values(), read("gpu").values(), strict=True):
        np.testing.assert_allclose(one.float_data, other.float_data, rtol=1e-4, atol=1e-6)


def test_what_the_log_says(capsys):
    lines = [line.split("] ")[1] for line in extract(capsys, "ip", "a", 2, "lmdb").err.splitlines()]
    assert lines == [
        "Using CPU",
        "Opening dataset a",
        "Extracting Features",
        "Extracted features of 14 query images for feature blob ip",
        "Successfully extracted the features!",
    ]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ip"], "the following arguments are required"),
        (["ip", "a", 0, "lmdb"], "BATCHES must be at least 1; got 0"),
        (["ip", "a", "x", "lmdb"], "argument BATCHES: invalid int value: 'x'"),
        (["ip", "a", 1, "leveldb"], "databases are of type lmdb; got 'leveldb'"),
        (["ip,conv", "a", 1, "lmdb"], "the number of blobs and databases must be equal; got 2 and 1"),
        (["ip,conv", "a,a", 1, "lmdb"], "each blob needs a database of its own; got a,a"),
        (["ip,conv", "a,./a", 1, "lmdb"], "each blob needs a database of its own; got a,./a"),
        (["ipp", "a", 1, "lmdb"], "net.prototxt: no blob 'ipp'; hint: did you mean 'ip'"),
        (["ip", "w.caffemodel", 1, "lmdb"], "w.caffemodel: exists already"),
        (["ip", "none/a", 1, "lmdb"], "none/a: cannot be written: No such file"),
        (["ip", "a", 1, "lmdb", "TPU"], "invalid choice: 'TPU'"),
        (["ip", "a", 1, "lmdb", "GPU", "x"], "argument DEVICE_ID: invalid int value: 'x'"),
        (["ip", "a", 1, "lmdb", "GPU", "-1"], "DEVICE_ID must be at least 0; got -1"),
    ],
)
def test_mistakes_leave_no_database(words, error, capsys, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = extract(capsys, *words)
    assert result.status == 1 and error in result.err, result.err
    assert sorted(tmp_path.iterdir()) == before


def test_an_error_in_the_middle_leaves_no_database(capsys, tmp_path):
    Path("net.prototxt").write_text(NET.replace("num_output: 10", "num_output: 3"))  # labels go to 9
    Path("w.caffemodel").write_bytes(Net("net.prototxt", seed=1).to_message().SerializeToString())
    before = sorted(tmp_path.iterdir())
    result = extract(capsys, "data,ip", "a,b", 2, "lmdb")
    assert result.status == 1 and "label" in result.err
    assert sorted(tmp_path.iterdir()) == before


@given(st.lists(st.integers(1, 4), max_size=4))
def test_records_hold_all_values_in_order(shape):
    blob = Blob("x", tuple(shape))
    blob.data = np.arange(blob.count, dtype=np.float32).reshape(shape)
    made = records(blob, CpuDevice())
    assert len(made) == (shape[0] if shape else 1)
    assert [value for record in made for value in record.float_data] == list(range(blob.count))
    assert {(r.channels, r.height, r.width) for r in made} == {(*shape[1:], 1, 1, 1)[:3]}


def test_shapes_that_a_datum_cannot_have():
    for shape in [(2, 1, 1, 1, 1), (0, 3)]:
        with pytest.raises(ShapeError, match="blob 'x' must have up to 4 axes, none empty; got"):
            records(Blob("x", shape), CpuDevice())
