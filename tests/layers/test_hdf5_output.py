"""HDF5Output."""

import resource
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device


def net(path, data=(4, 3), label=(4,), device=None) -> Net:
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        for name, shape in (("data", data), ("label", label))
        for dims in [" ".join(f"dim: {d}" for d in shape)]
    )
    layer = f"""{inputs} force_backward: true layer {{ name: "o" type: "HDF5Output" bottom: "data"
      bottom: "label" hdf5_output_param {{ file_name: "{path}" }} }}"""
    return Net(text.parse(layer, NetParameter), device=device)


def written(path) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(path) as file:
        assert sorted(file) == ["data", "label"]
        return file["data"][:], file["label"][:]


@each_device
def test_every_pass_appends(tmp_path, device):
    path = tmp_path / "out.h5"
    rig, rows = net(path, device=device), np.random.default_rng(1).standard_normal((12, 3))
    for k in range(3):
        part = rows[4 * k : 4 * k + 4]
        rig.forward(data=part, label=np.arange(4 * k, 4 * k + 4))
        data, label = written(path)  # whole after every pass
        np.testing.assert_array_equal(data, rows[: 4 * k + 4, :, None, None])
        np.testing.assert_array_equal(label.ravel(), np.arange(4 * k + 4))
    assert data.dtype == np.float64 and data.shape == (12, 3, 1, 1) and label.shape == (12, 1, 1, 1)


def test_more_axes_and_other_counts_of_rows(tmp_path):
    rig = net(tmp_path / "out.h5", (2, 3, 4, 5, 6), (2, 7))
    rig.forward()
    rig.forward(data=np.ones((5, 3, 4, 5, 6)), label=np.ones((5, 7)))
    data, label = written(tmp_path / "out.h5")
    assert data.shape == (7, 3, 4, 5, 6) and label.shape == (7, 7, 1, 1) and data.dtype == np.float32


def test_hdf5_data_reads_it(tmp_path):
    net(tmp_path / "out.h5").forward(data=np.arange(12).reshape(4, 3))
    (tmp_path / "list.txt").write_text(f"{tmp_path}/out.h5\n")
    layer = f"""layer {{ name: "h" type: "HDF5Data" top: "data" top: "label"
      hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 4 }} }}"""
    outputs = Net(text.parse(layer, NetParameter)).forward()
    np.testing.assert_array_equal(outputs["data"].ravel(), np.arange(12))


def test_the_first_pass_takes_the_place_of_an_older_file(tmp_path):
    (tmp_path / "out.h5").write_text("something else")
    rig = net(tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_text() == "something else"
    rig.forward()
    net(tmp_path / "out.h5").forward()
    assert len(written(tmp_path / "out.h5")[0]) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


@contextmanager
def disk_of(nbytes: int):
    """No file may be longer: as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_error_and_leaves_the_rows_before(tmp_path):
    """HDF5 itself ends the process, and leaves a file without its datasets."""
    path, rig = tmp_path / "out.h5", net(tmp_path / "out.h5", (500, 30), (500,))
    with disk_of(1000), pytest.raises(DataError, match=r"out.h5: cannot be written: File too large; hint"):
        rig.forward()
    assert not list(tmp_path.iterdir())
    rig.forward(data=np.ones((500, 30)))
    before = path.read_bytes()
    with disk_of(len(before) + 1000), pytest.raises(DataError, match=r"cannot be written: File too large"):
        for _ in range(100):
            rig.forward()
    data, label = written(path)
    assert len(data) == len(label) >= 500 and (data[:500] == 1).all()
    rows = len(data)
    rig.forward(data=np.full((500, 30), 2))
    data, label = written(path)
    assert len(data) == len(label) == rows + 500 and (data[rows:] == 2).all() and (data[:500] == 1).all()


def test_no_gradient(tmp_path):
    rig = net(tmp_path / "out.h5")
    rig.forward()
    for name in ("data", "label"):
        rig.blobs[name].diff[...] = 3
    rig.backward()
    assert not rig.blobs["data"].diff.any() and not rig.blobs["label"].diff.any()


def test_what_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'o' \(HDF5Output\): hdf5_output_param.file_name must be set"):
        net("")
    with pytest.raises(
        DataError, match=r"none/out.h5: cannot be written: No such file.*; hint: check the folder"
    ):
        net(tmp_path / "none" / "out.h5")
    with pytest.raises(ShapeError, match=r"equally many rows \(axis 0\); got \(4, 3\) and \(5,\)"):
        net(tmp_path / "out.h5", label=(5,))
    rig = net(tmp_path / "out.h5")
    rig.forward()
    with pytest.raises(
        ShapeError, match=r"out.h5: rows of 'data' have the shape \(3, 1, 1\); got \(2, 1, 1\)"
    ):
        rig.forward(data=np.ones((4, 2)))
    (tmp_path / "out.h5").unlink()
    with pytest.raises(DataError, match=r"out.h5: cannot be written: "):
        rig.forward(data=np.ones((4, 3)))
