"""IDX files."""

import gzip
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minicaffe.data import idx
from minicaffe.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
every_type = st.sampled_from([np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]).map(np.dtype)
every_array = every_type.flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "images-idx3-ubyte"
    idx.write(path, IMAGES)
    return path


@given(array=every_array, suffix=st.sampled_from(["", ".gz"]))
def test_what_is_written_is_read(tmp_path, array, suffix):
    path = tmp_path / f"file{suffix}"
    idx.write(path, array)
    back = idx.read(path)
    assert back.shape == array.shape and back.dtype.newbyteorder("=") == array.dtype
    np.testing.assert_array_equal(back, array)


def test_bytes_are_those_of_the_format(plain):
    assert plain.read_bytes() == bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])


def test_values_are_big_endian_and_strides_do_not_matter(tmp_path):
    idx.write(tmp_path / "file", np.array([[1, 2], [3, 4]], np.int16).T)
    assert (tmp_path / "file").read_bytes()[12:] == bytes([0, 1, 0, 3, 0, 2, 0, 4])


def test_gzip_files_are_the_same_every_time(tmp_path):
    for name in ("one.gz", "other.gz"):
        idx.write(tmp_path / name, IMAGES)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "other.gz").read_bytes()


def test_rows_of_a_large_plain_file_stay_there_until_they_are_asked_for(plain):
    array = idx.stored(plain, kept_bytes=0)
    with open(plain, "r+b") as file:
        file.seek(16)
        file.write(b"\xff")
    assert array[:1][0, 0, 0] == 255 and (array.whole()[1] == IMAGES[1]).all()
    out = np.empty((3, 3, 4), np.uint8)
    np.take(array, np.array([1, 0, 1]), axis=0, out=out, mode="clip")
    np.testing.assert_array_equal(out[::2], IMAGES[[1, 1]])


def test_a_file_that_another_program_cuts_short_is_an_error(plain):
    """A mapped file would end the process."""
    array = idx.stored(plain, kept_bytes=0)
    os.truncate(plain, 30)
    assert (array[:1] == IMAGES[:1]).all()
    with pytest.raises(DataError, match=f"{plain}: the file ends at byte 30; it had 40 bytes .*hint"):
        array.take(np.arange(2))


def test_what_a_gzip_file_unpacks_to_is_known_before_it_is_allocated(tmp_path):
    """A megabyte of it can stand for a gigabyte."""
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 128, 0, 0, 0, 128, 0])))
    with pytest.raises(DataError, match=r"file.gz: 70368744177680 bytes of memory .*--largest_file of train"):
        idx.read(path)
    idx.write(path, np.zeros(10_000, np.uint8))
    with pytest.raises(DataError, match=r"10008 bytes of memory for a file of .* 10007 is the most"):
        idx.stored(path, 10_007)
    assert idx.stored(path, 10_008).shape == (10_000,)


def test_shapes_that_no_array_can_have(tmp_path):
    path = tmp_path / "file"
    for extents, message in (([0, *[2**32 - 1] * 3], "no array can have the shape"), ([0] * 40, "32 axes")):
        path.write_bytes(bytes([0, 0, 8, len(extents)]) + np.array(extents, ">u4").tobytes())
        with pytest.raises(DataError, match=message):
            idx.read(path)


def test_gzip_is_told_by_content_not_by_name(tmp_path, plain):
    packed = tmp_path / "without-suffix"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(idx.read(packed), IMAGES)
    np.testing.assert_array_equal(idx.read(plain.rename(tmp_path / "plain.gz")), IMAGES)


@given(cut=st.integers(0, 39), packed=st.booleans())
def test_a_file_cut_anywhere_is_refused(tmp_path, cut, packed):
    path = tmp_path / "whole"
    idx.write(path, IMAGES)
    whole, path = path.read_bytes(), tmp_path / "cut"
    path.write_bytes(gzip.compress(whole[:cut]) if packed else whole[:cut])
    with pytest.raises(
        DataError, match="not an IDX file" if cut < 4 else rf"bytes.*the file has {cut}; hint"
    ):
        idx.read(path)


@given(data=st.data())
def test_a_gzip_file_cut_or_changed_anywhere_is_refused_or_harmless(tmp_path, data):
    path = tmp_path / "file.gz"
    idx.write(path, IMAGES)
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(whole[: data.draw(st.integers(2, len(whole) - 1))])
        with pytest.raises(DataError, match="expected a whole gzip file"):
            idx.read(path)
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        flipped = whole[at] ^ (1 << data.draw(st.integers(0, 7)))
        path.write_bytes(whole[:at] + bytes([flipped]) + whole[at + 1 :])
        try:
            np.testing.assert_array_equal(idx.read(path), IMAGES)  # a header byte without meaning
        except DataError as error:
            assert "\n" not in str(error) and str(path) in str(error)


@given(at=st.integers(0, 3), value=st.integers(0, 255))
def test_a_changed_magic_is_refused(tmp_path, at, value):
    path = tmp_path / "file"
    idx.write(path, IMAGES)
    data = bytearray(path.read_bytes())
    data[at] = value
    path.write_bytes(data)
    if (at < 2 and value) or (at == 2 and value not in idx.TYPES):
        with pytest.raises(DataError, match=f"not an IDX file.*got {data[:4].hex(' ')}"):
            idx.read(path)
    elif (at, value) in ((0, 0), (1, 0), (2, 8), (2, 9), (3, 3)):  # unchanged, or as well int8
        assert idx.read(path).shape == IMAGES.shape
    else:  # other ranks and wider types do not fit the length
        with pytest.raises(DataError, match=r"IDX header.*the file has 40|no array can have the shape"):
            idx.read(path)


def test_a_file_that_is_too_long_is_refused(plain):
    plain.write_bytes(plain.read_bytes() + b"\0")
    with pytest.raises(
        DataError, match=r"2 x 3 x 4 uint8 values, 40 bytes in all; the file has 41; hint: .*too"
    ):
        idx.read(plain)


def test_other_files_are_refused(tmp_path):
    for name, content, message in (
        ("empty", b"", "got an empty file"),
        ("picture", b"\x89PNG\r\n", "got 89 50 4e 47"),
        ("packed", gzip.compress(b"hello"), "got 68 65 6c 6c"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{path}: not an IDX file.*{message}"):
            idx.read(path)
    with pytest.raises(DataError, match=r"cannot read .*missing: No such file"):
        idx.read(tmp_path / "missing")
    with pytest.raises(DataError, match="it is a folder"):
        idx.read(tmp_path)


def test_types_that_idx_does_not_have_are_refused(tmp_path):
    with pytest.raises(DataError, match="no type for int64 values; hint: use uint8, int8"):
        idx.write(tmp_path / "file", np.arange(3))
    assert not list(tmp_path.iterdir())
