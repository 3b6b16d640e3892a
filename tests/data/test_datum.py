"""Datum to array and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data import datum
from minicaffe.data.images import Channels
from minicaffe.errors import DataError
from minicaffe.proto.schema import Datum

from .test_images import BGR, RGB, libpng, stored

SIDE = st.integers(1, 5)


@given(c=SIDE, h=SIDE, w=SIDE, label=st.integers(-(2**31), 2**31 - 1), floats=st.booleans())
def test_there_and_back(c, h, w, label, floats):
    image = np.arange(c * h * w).reshape(c, h, w).astype(np.float32 if floats else np.uint8)
    record = datum.parse(datum.from_array(image, label).SerializeToString())
    got = datum.to_array(record)
    assert record.label == label and got.dtype == image.dtype
    np.testing.assert_array_equal(got, image)


def test_encoded():
    record = datum.from_encoded(stored(RGB), 3)
    assert record.label == 3 and record.encoded
    np.testing.assert_array_equal(datum.to_array(record), BGR)
    np.testing.assert_array_equal(datum.to_array(record, Channels.GRAY), libpng(RGB))


@pytest.mark.parametrize(("channels", "given_"), [(Channels.COLOR, 1), (Channels.GRAY, 3)])
def test_raw_pixels_cannot_change_their_channels(channels, given_):
    record = datum.from_array(np.zeros((given_, 2, 2), np.uint8))
    with pytest.raises(
        DataError, match=f"raw pixels of {given_} channels; force_color and force_gray decode"
    ):
        datum.to_array(record, channels)
    right = datum.from_array(np.zeros((4 - given_, 2, 2), np.uint8))
    assert datum.to_array(right, channels).shape == (4 - given_, 2, 2)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Datum(channels=1, height=2, width=3, data=b"12345"), "1 x 2 x 3 holds 6 values; got 5"),
        (Datum(channels=1, height=2, width=3, float_data=[1]), "1 x 2 x 3 holds 6 values; got 1"),
        (Datum(channels=1, height=2), r"must be at least 1; got \(1, 2, 0\)"),
        (Datum(data=b"hello", encoded=True), "no image"),
    ],
)
def test_records_that_do_not_add_up(record, message):
    with pytest.raises(DataError, match=message):
        datum.to_array(record)


def test_bytes_that_are_no_datum():
    with pytest.raises(DataError, match="3 bytes that are no whole Datum; hint: the database is damaged"):
        datum.parse(b"\x22\x09x")


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        (np.zeros((2, 2), np.uint8), 0, r"axes \(C, H, W\), none empty; got \(2, 2\)"),
        (np.zeros((1, 0, 2), np.uint8), 0, r"none empty; got \(1, 0, 2\)"),
        (np.zeros((1, 2, 2)), 0, "uint8 or float32; got float64; hint: use astype"),
        (np.zeros((1, 2, 2), np.uint8), 2**31, "a label must fit 32 bits; got 2147483648"),
    ],
)
def test_arrays_that_are_no_image(image, label, message):
    with pytest.raises(DataError, match=message):
        datum.from_array(image, label)
