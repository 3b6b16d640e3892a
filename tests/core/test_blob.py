"""Blob: shapes, axes, sharing."""

import numpy as np
import pytest

from minicaffe.core.blob import Blob, Buffer
from minicaffe.errors import ShapeError


def test_shape_and_counts():
    blob = Blob("b", (2, 3, 4))
    assert blob.count == 24 and blob.count_over(1) == 12 and blob.count_over(0, 2) == 6
    assert Blob("scalar").count == 1


def test_axes_count_from_both_ends():
    blob = Blob("b", (2, 3, 4))
    assert [blob.axis(i) for i in (0, 2, -1, -3)] == [0, 2, 2, 0]
    assert [blob.axis(i, insert=True) for i in (3, -1, -4)] == [3, 3, 0]
    for bad in (3, -4):
        with pytest.raises(ShapeError, match=f"axis {bad} does not exist in blob 'b'"):
            blob.axis(bad)
    with pytest.raises(ShapeError):
        Blob().axis(0)


def test_only_a_change_of_shape_is_told():
    told = []
    blob = Blob("b", (2, 3), on_reshape=lambda: told.append(1))
    blob.reshape(2, 3)
    assert not told
    blob.reshape(3, 3)
    assert told and blob.shape == (3, 3)


def test_negative_axes_are_refused():
    with pytest.raises(ShapeError, match="an axis is negative"):
        Blob("b").reshape(2, -1)


def test_sharing_follows_the_owner():
    a, b, c = Blob("a", (2, 6)), Blob("b", (12,)), Blob("c", (3, 4))
    b.share_data(a)
    c.share_data(b)
    assert c.data_of is a and c.diff_of is c
    with pytest.raises(ShapeError, match="cannot share memory"):
        Blob("d", (5,)).share_diff(a)


def test_buffer_bytes():
    assert Buffer("x", (3, 5), np.dtype(np.int32)).nbytes == 60
