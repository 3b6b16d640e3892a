"""Files that list windows."""

import numpy as np
import pytest

from minicaffe.data.window_list import Window, WindowList
from minicaffe.errors import DataError
from minicaffe.proto import text
from minicaffe.proto.schema import message_class

GOOD = """# 0
a.png
3
10
12
3
1 0.9 1 1 8 8
2 0.4 0 0 3 3
7 0.2 2 2 2 2
# 1
b.png
3 5 5
1
4 0.5 0 0 4 4
"""


def listed(tmp_path, content: str, conf="") -> WindowList:
    (tmp_path / "windows.txt").write_text(content)
    return WindowList(str(tmp_path / "windows.txt"), text.parse(conf, message_class("WindowDataParameter")))


def test_foreground_and_background(tmp_path):
    found = listed(tmp_path, GOOD, 'root_folder: "x/"')
    assert found.paths == ["x/a.png", "x/b.png"] and found.lines == [1, 10]
    assert [Window(*row) for row in found.foreground] == [(0, 1, 1, 1, 8, 8), (1, 4, 0, 0, 4, 4)]
    assert [Window(*row) for row in found.background] == [(0, 0, 0, 0, 3, 3), (0, 0, 2, 2, 2, 2)]


def test_thresholds(tmp_path):
    found = listed(tmp_path, GOOD, "fg_threshold: 0.4 bg_threshold: 0.3")
    assert found.foreground[:, 1].tolist() == [1, 2, 4] and len(found.background) == 1
    found = listed(tmp_path, GOOD, "fg_threshold: 0.4 bg_threshold: 0.6")  # foreground wins
    assert len(found.foreground) == 3 and len(found.background) == 1


def test_images_without_windows(tmp_path):
    found = listed(tmp_path, "# 0 a.png 3 10 12 0 # 5 b.png 3 1 1 1 1 1 0 0 0 0")
    np.testing.assert_array_equal(found.foreground, [[1, 1, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "windows.txt: the file is empty"),
        ("# 1", "1", "windows.txt:10: expected `#` before an image; got 1; hint: # index, path"),
        ("# 0", "# a.png", "windows.txt:1: expected the index of an image; got a.png"),
        ("\n3\n", "\n1\n", "windows.txt:3: expected 3 channels, as images are read in colour; got 1"),
        ("\n10\n", "\nx\n", "windows.txt:4: expected the height; got x"),
        ("1 0.9", "0 0.9", "windows.txt:7: expected a label above 0 of a foreground window; got 0"),
        ("2 0.4", "2 x", "windows.txt:8: expected an overlap; got x"),
        ("1 8 8", "1 0 8", r"windows.txt:7: expected x1 <= x2 and y1 <= y2; got \[1, 1, 0, 8\]"),
        ("0 0 4 4\n", "0 0 4", "windows.txt:14: expected y2 of a window; the file ends; hint: it is cut"),
        ("2 0.4", f"{10**20} 0.4", "windows.txt:8: expected a label; got 1000"),
        ("2 0.4", f"{'9' * 5000} 0.4", r"windows.txt:8: expected a label; got 9{200};"),
        ("\n3\n1 0.9", f"\n{10**20}\n1 0.9", "windows.txt:6: expected the number of windows; got 1000"),
        ("\n3\n1 0.9", "\n2000000000\n1 0.9", "windows.txt:10: expected a label; got #"),
        ("\n3\n1 0.9", "\n2\n1 0.9", "windows.txt:9: expected `#` before an image; got 7"),
    ],
)
def test_what_is_refused(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        listed(tmp_path, GOOD.replace(old, new, 1))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.txt: No such file"):
        WindowList(str(tmp_path / "none.txt"), message_class("WindowDataParameter")())
