"""NumPy's own files."""

import io

import numpy as np
import pytest

from minicaffe.errors import DataError
from minicaffe.proto import npy


def stored(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["f4", ">f8", "u1", "i8", "?"])
def test_arrays(kind, tmp_path):
    array = np.arange(6).reshape(2, 3).astype(kind)
    for order in "CF":
        (tmp_path / "x.npy").write_bytes(stored(np.asarray(array, order=order)))
        np.testing.assert_array_equal(npy.read(tmp_path / "x.npy"), array)
    assert npy.parse(stored(np.array(7))) == 7


WHOLE = stored(np.arange(12, dtype=np.float32).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole .npy file"),
        (WHOLE[:-1], "not a whole .npy file .47 bytes for an array of shape"),
        (WHOLE + b"x", "not a whole .npy file .49 bytes for an array"),
        (WHOLE.replace(b"(3, 4)", b"(3,-4)"), "not a whole"),
        (WHOLE.replace(b"(3, 4), }", b"(3, 4), (("), "not a whole"),  # TokenError
        (WHOLE.replace(b"(3, 4), }", b"'''      "), "not a whole"),
        (WHOLE.replace(b"<f4", b"<q4"), "not a whole"),
        (WHOLE[:8] + b"\xff\xff" + b"(" * 70_000, "not a whole"),
        (stored(np.array([{}, 1], object)), "Python objects are no numbers"),
    ],
)
def test_what_is_no_array(content, message, tmp_path):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.npy: {message}"):
        npy.read(tmp_path / "x.npy")
