"""Lists of images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.image_list import ImageList
from minicaffe.data.images import Channels
from minicaffe.errors import DataError

from .test_images import BGR, RGB, stored

PATH = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1)


def listed(tmp_path, content: bytes, **conf) -> ImageList:
    (tmp_path / "list.txt").write_bytes(content)
    return ImageList(str(tmp_path / "list.txt"), **conf)


@given(entries=st.lists(st.tuples(PATH, st.integers(-(2**31), 2**31 - 1)), min_size=1))
def test_a_line_is_split_at_its_last_space(tmp_path, entries):
    content = "".join(f"{path} {label}\n" for path, label in entries).encode()
    assert listed(tmp_path, content).entries == entries
    assert listed(tmp_path, content.rstrip(b"\n")).entries == entries
    assert listed(tmp_path, content.replace(b"\n", b"\r\n")).entries == entries


def test_the_root_is_put_before_as_it_is(tmp_path):
    (tmp_path / "a b.png").write_bytes(stored(RGB))
    found = listed(tmp_path, b"b.png 7\n", root=f"{tmp_path}/a ", channels=Channels.GRAY)
    image, label = found.read(0)
    assert image.shape == (1, 6, 5) and label == 7 and len(found) == 1
    np.testing.assert_array_equal(listed(tmp_path, b"b.png 7", root=f"{tmp_path}/a ").read(0)[0], BGR)


def test_paths_of_any_bytes(tmp_path):
    import os

    name = os.fsdecode(b"\xff.png")
    try:
        (tmp_path / name).write_bytes(stored(RGB))
    except OSError:
        pytest.skip("this file system has names of its own")
    found = listed(tmp_path, os.fsencode(tmp_path) + b"/\xff.png 1\n")
    np.testing.assert_array_equal(found.read(0)[0], BGR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "list.txt: the list is empty; hint: a line holds a path"),
        (b"a.png\t1\n", "list.txt:1: expected .* got 'a.png.t1'; hint: put a space before the label"),
        (b"a b.png,1\n", "got 'a b.png,1'; hint: put a space before the label"),
        (b"a.png 1 \n", "got 'a.png 1 '; hint: the line ends in white space"),
        (
            b"a.png 1\n\nb.png 2\n",
            "list.txt:2: expected a path, a space and a whole number; got ''; hint: one",
        ),
        (b"a.png 1\nb.png\n", "list.txt:2: .* got 'b.png'"),
        (b"a.png x\n", "list.txt:1: .* got 'a.png x'; hint: HDF5Data reads other labels"),
        (b"a.png 1.5\n", "list.txt:1: "),
        ("a.png ١\n".encode(), "list.txt:1: "),  # a digit, but not one that Caffe reads
        (b" 1\n", "list.txt:1: "),
        (b"a.png " + b"9" * 400, "list.txt:1: a label must fit 32 bits; got 9{40}$"),
        (b"a.png " + b"9" * 5000, "list.txt:1: a label must fit 32 bits; got 9{40}$"),
        (b"a.png 2147483648", "list.txt:1: a label must fit 32 bits; got 2147483648"),
    ],
)
def test_lines_that_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        listed(tmp_path, content)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.txt: No such file"):
        ImageList(str(tmp_path / "none.txt"))
    found = listed(tmp_path, b"x 1\nnone.png 2\n")
    with pytest.raises(DataError, match=r"cannot read .*none.png"):
        found.read(1)
    assert found.place(1) == f"{tmp_path}/list.txt:2"
