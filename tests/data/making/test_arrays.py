"""Data sets made of NumPy arrays."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minicaffe.data import datasets
from minicaffe.data.making import Options, arrays, make, opening
from minicaffe.errors import DataError

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (30, 6, 5), np.uint8)
COLOR = RNG.integers(0, 256, (30, 6, 5, 3), np.uint8)  # red, green, blue
LABELS = np.arange(30) % 3
KEEP = Options(keep_order=True)


def made(path, tmp_path, **options):
    """The images and labels of the part train."""
    return datasets.load(make(path, tmp_path / "data", KEEP._replace(**options)).sources["train"])


LAYOUTS = {
    "grey": (GREY, GREY[:, None]),
    "grey, one channel": (GREY[..., None], GREY[:, None]),
    "channels last": (COLOR, COLOR[..., ::-1].transpose(0, 3, 1, 2)),
    "channels first": (COLOR.transpose(0, 3, 1, 2), COLOR[..., ::-1].transpose(0, 3, 1, 2)),
    "with opacity": (
        np.dstack([COLOR.reshape(-1, 5, 3), np.zeros((180, 5), np.uint8)]).reshape(30, 6, 5, 4),
        COLOR[..., ::-1].transpose(0, 3, 1, 2),
    ),
    "numbers": (GREY.astype(np.int64), GREY[:, None]),
    "whole floats": (GREY.astype(np.float32), GREY[:, None]),
    "truth values": (GREY > 127, np.where(GREY > 127, 255, 0)[:, None]),
    "Fortran's order": (np.asfortranarray(GREY), GREY[:, None]),
    "big-endian": (GREY.astype(">i2"), GREY[:, None]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(tmp_path, layout, packed):
    given_images, expected = LAYOUTS[layout]
    if packed:
        np.savez_compressed(tmp_path / "a.npz", x=given_images, y=LABELS)
    else:
        np.save(tmp_path / "a.npy", given_images)
        np.save(tmp_path / "a-labels.npy", LABELS)
    images, labels = made(tmp_path / ("a.npz" if packed else "a.npy"), tmp_path)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, LABELS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 9),
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    channels=st.sampled_from([1, 3, 4]),
    last=st.booleans(),
    block=st.sampled_from([1, 100, 1 << 20]),
)
def test_any_shape_and_block(tmp_path, monkeypatch, count, height, width, channels, last, block):
    monkeypatch.setattr(arrays, "BLOCK_BYTES", block)
    images = RNG.integers(0, 256, (count, height, width, channels), np.uint8)
    np.savez(tmp_path / "a.npz", images=images if last else images.transpose(0, 3, 1, 2), labels=range(count))
    source = opening.open_source(tmp_path / "a.npz")
    for index in range(count):
        expected = images[index, :, :, :3].transpose(2, 0, 1)[::-1]
        np.testing.assert_array_equal(source.read(index), expected)
    source.close()


def test_parts_of_a_file_are_parts(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=GREY, y_train=LABELS, x_test=GREY[:6], y_test=LABELS[:6])
    result = make(tmp_path / "mnist.npz", tmp_path / "data", KEEP._replace(val=20))
    counts = {name: part["images"] for name, part in result.summary["parts"].items()}
    assert counts == {"train": 24, "val": 6, "test": 6}
    np.testing.assert_array_equal(datasets.load(result.sources["test"]).images[:, 0], GREY[:6])


def test_labels_in_words_and_elsewhere(tmp_path):
    np.save(tmp_path / "images.npy", GREY)
    np.save(tmp_path / "labels.npy", np.array(["cat", "dog", "ant"])[LABELS])
    result = make(tmp_path / "images.npy", tmp_path / "one", KEEP)
    assert result.summary["classes"] == ["ant", "cat", "dog"]
    assert datasets.load(result.sources["train"]).labels[:3].tolist() == [1, 2, 0]
    np.save(tmp_path / "numbers.npy", LABELS[:, None].astype(float))
    other = make(tmp_path / "images.npy", tmp_path / "two", KEEP._replace(labels=tmp_path / "numbers.npy"))
    np.testing.assert_array_equal(datasets.load(other.sources["train"]).labels, LABELS)


def saved(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return out.getvalue()


X, Y = saved(GREY), saved(LABELS)
BROKEN = {
    "cannot tell the images; it has pictures, y": zipped(pictures=X, y=Y),
    "no labels for 'x'; it has x": zipped(x=X),
    "29 labels in y for 30 images in x; hint: the two do not belong together": zipped(
        x=X, y=saved(LABELS[1:])
    ),
    r"no bytes of images: expected \(N, H, W\), .*; got \(30, 5\)": zipped(x=saved(GREY[:, 0]), y=Y),
    r"the axis of the channels cannot be told": zipped(x=saved(np.zeros((30, 3, 6, 3), np.uint8)), y=Y),
    r"x: pixels must be whole numbers from 0 to 255; got float64 from 0.\d+ to": zipped(
        x=saved(GREY / 255), y=Y
    ),
    r"x: pixels must be whole numbers from 0 to 255; got int64 from -1": zipped(
        x=saved(GREY.astype(int) - 1), y=Y
    ),
    r"x: pixels must be whole .* from nan": zipped(x=saved(np.full((30, 2, 2), np.nan)), y=Y),
    "x: pixels must be numbers; got <U1": zipped(x=saved(GREY.astype("U1")), y=Y),
    "labels must be whole numbers": zipped(x=X, y=saved(LABELS + 0.5)),
    r"labels must be the numbers of classes, .* got -1 to 1": zipped(x=X, y=saved(LABELS - 1)),
    r"labels must be numbers or texts, \(N,\); got int64 \(30, 3\)": zipped(
        x=X, y=saved(np.eye(3, dtype=int)[LABELS])
    ),
    "x: an array of Python objects, which may run code": zipped(x=saved(np.array([None])), y=Y),
    "x: cut short: fewer values than its header says": zipped(x=X[:-1], y=Y),
    "x: more values than its header says": zipped(x=X + b"!", y=Y),
    "a.npz: no whole file of NumPy": b"PK\x03\x04none",
    "a.npz: x: no whole file of NumPy: .*magic": zipped(x=b"none at all", y=Y),
    r"images of the shapes \[\(1, 6, 4\), \(1, 6, 5\)\]": zipped(
        x_train=X, y_train=Y, x_test=saved(GREY[:, :, 1:].copy()), y_test=Y
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_files_that_are_none(tmp_path, message):
    (tmp_path / "a.npz").write_bytes(BROKEN[message])
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.npz", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_arrays_without_labels(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(DataError, match=r"a.npy: no labels beside it, such as a-labels.npy; hint: --labels"):
        make(tmp_path / "a.npy", tmp_path / "data")
    with pytest.raises(DataError, match=r"cannot read .*nowhere.npy"):
        make(tmp_path / "a.npy", tmp_path / "data", Options(labels=str(tmp_path / "nowhere.npy")))


@pytest.mark.parametrize("fortran", [False, True])
def test_a_header_that_promises_too_much(tmp_path, fortran):
    header = io.BytesIO()
    said = {"descr": "|u1", "fortran_order": fortran, "shape": (4, 1 << 20, 1 << 20)}
    np.lib.format.write_array_header_1_0(header, said)
    (tmp_path / "a.npy").write_bytes(header.getvalue())
    np.save(tmp_path / "labels.npy", LABELS[:4])
    with pytest.raises(DataError, match=r"a\.npy: cut short"):
        make(tmp_path / "a.npy", tmp_path / "data")


def test_an_encrypted_file(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"no whole file of NumPy: .*encrypted"):
        make(tmp_path / "a.npz", tmp_path / "data")
