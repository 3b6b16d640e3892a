"""HDF5Data."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device

SOLVERS = Path(__file__).parent.parent / "golden" / "solvers"
DATA = np.arange(2 * 10 * 8 * 6 * 5).reshape(2, 10, 8, 6, 5)
LABELS = np.arange(20, dtype=np.uint8).reshape(2, 10, 1)


@pytest.fixture
def source(tmp_path):
    """Two files of ten rows; the second is packed, and its labels are bytes."""
    for i, (packing, kind) in enumerate([(None, "f4"), ("gzip", "u1")]):
        with h5py.File(tmp_path / f"{i}.h5", "w") as file:
            file.create_dataset("data", data=DATA[i].astype("f4"), compression=packing)
            file.create_dataset("label", data=LABELS[i].astype(kind), compression=packing)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/0.h5\n{tmp_path}/1.h5\n")
    return tmp_path / "list.txt"


def net(source, conf="", batch=5, extra="", tops='top: "data" top: "label"', seed=5, device=None) -> Net:
    layer = f"""layer {{ name: "h" type: "HDF5Data" {tops} {extra}
      hdf5_data_param {{ source: "{source}" batch_size: {batch} {conf} }} }}"""
    return Net(text.parse(layer, NetParameter), phase="TRAIN", seed=seed, device=device)


@each_device
def test_rows_come_in_order_across_files(source, device):
    rig = net(source, device=device)
    assert rig.blobs["data"].shape == (5, 8, 6, 5) and rig.blobs["label"].shape == (5, 1)
    data, labels = DATA.reshape(20, 8, 6, 5), LABELS.reshape(20, 1)
    for number in range(9):
        outputs = rig.forward()
        rows = np.arange(5 * number, 5 * number + 5) % 20
        np.testing.assert_array_equal(outputs["data"], data[rows])
        np.testing.assert_array_equal(outputs["label"], labels[rows])


def test_batches_straddle_files(source):
    outputs = net(source, batch=12).forward()
    np.testing.assert_array_equal(outputs["label"].ravel(), range(12))
    np.testing.assert_array_equal(outputs["data"][10:], DATA[1, :2])


def test_tops_choose_the_datasets(source):
    outputs = net(source, tops='top: "label"').forward()
    assert list(outputs) == ["label"]


def test_a_shuffle_follows_from_the_seed_and_the_pass(source):
    def draw(passes, **conf):
        rig = net(source, "shuffle: true", batch=20, **conf)
        rig.passes = passes
        outputs = rig.forward()
        rows = outputs["label"].ravel().astype(int)
        np.testing.assert_array_equal(outputs["data"], DATA.reshape(20, 8, 6, 5)[rows])
        assert sorted(rows) == list(range(20)) and len(set(rows[:10] // 10)) == 1
        return rows

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(0) != draw(1)).any() and (draw(0) != draw(0, seed=6)).any()
    rig = net(source, "shuffle: true", batch=20)
    rig.reseed(6)
    np.testing.assert_array_equal(rig.forward()["label"].ravel(), draw(0, seed=6))


def test_caffes_own_file(monkeypatch):
    """24 samples in batches of 4, with the path in the list relative to the working directory."""
    monkeypatch.chdir(SOLVERS)
    param = text.read("net.prototxt", NetParameter)
    del param.layer[1:]
    rig = Net(param, phase="TRAIN")
    with h5py.File("data.h5") as file:
        for number in range(7):
            outputs, rows = rig.forward(), np.arange(4 * number, 4 * number + 4) % 24
            for name in ("data", "label"):
                np.testing.assert_array_equal(outputs[name], file[name][:][rows])


def test_what_is_refused(source, tmp_path):
    with pytest.raises(
        ConfigError, match=r"'h' \(HDF5Data\): transform_param means nothing to HDF5Data; hint"
    ):
        net(source, extra="transform_param { }")
    with pytest.raises(ConfigError, match=r"hdf5_data_param.batch_size must be at least 1"):
        net(source, batch=0)
    with pytest.raises(ConfigError, match=r"hdf5_data_param.source must be set"):
        net("")
    with pytest.raises(DataError, match=r"0.h5: no dataset 'labels'; it has data, label; hint"):
        net(source, tops='top: "labels"')
    with pytest.raises(DataError, match=r"cannot read .*missing.txt: No such file"):
        net(tmp_path / "missing.txt")
