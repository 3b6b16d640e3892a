"""Images and labels of their pixels, through the three layers that bring them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.image_pairs import PairList
from minicaffe.data.resize import nearest
from minicaffe.errors import DataError


def test_nearest_is_opencvs():
    row = np.arange(5)[None]
    assert nearest(row, 1, 3).tolist() == [[0, 1, 3]]
    assert nearest(row, 2, 7).tolist() == [[0, 0, 1, 2, 2, 3, 4]] * 2
    assert nearest(row, 1, 5).tolist() == row.tolist()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20))
def test_nearest_keeps_values_and_order(h, w, rows, columns):
    plane = np.arange(h * w).reshape(h, w)
    out = nearest(plane, rows, columns)
    assert out.shape == (rows, columns) and np.isin(out, plane).all() and out[0, 0] == 0
    assert (np.diff(out, axis=0) >= 0).all() and (np.diff(out, axis=1) >= 0).all()


@pytest.mark.parametrize("line", ["one.png", "one.png two.png three", "a b\n\nc d"])
def test_lines_that_are_no_pairs(tmp_path, line):
    (tmp_path / "list").write_text(f"a.png b.png\n{line}\n")
    with pytest.raises(DataError, match=r"list:[23]: expected an image, a blank and its label"):
        PairList(str(tmp_path / "list"))
