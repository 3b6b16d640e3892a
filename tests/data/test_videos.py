"""Lists of videos, and which frames and crops are taken of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.order import Order, Share
from minicaffe.data.video_list import Video, VideoList
from minicaffe.data.videos import VideoBatches, crop_places, crop_sizes
from minicaffe.errors import ConfigError, DataError
from minicaffe.proto.schema import TEST, TRAIN, TransformationParameter


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "list.txt"
    path.write_text("some folder 9 3\nother 1 -2\n")
    return VideoList(str(path), flow=False)


def batches(videos, segments=1, length=1, phase=TRAIN, key=(1, 2), **fields) -> VideoBatches:
    transform = TransformationParameter(**fields)
    return VideoBatches(videos, segments, length, transform, phase, Order(len(videos)), Share(1, key))


def test_a_list(videos):
    assert videos.videos == [Video("some folder", 9, 3), Video("other", 1, -2)]
    assert videos.place(1).endswith("list.txt:2")


@pytest.mark.parametrize("line", ["folder 3", "folder x 3", "folder 0 3", " 4 3", f"a {'9' * 50} 1"])
def test_lines_that_are_none(tmp_path, line):
    (tmp_path / "list.txt").write_text(f"a 1 1\n{line}\n")
    with pytest.raises(
        DataError, match=r"list.txt:2: expected a folder, the number of its frames, and a lab"
    ):
        VideoList(str(tmp_path / "list.txt"), flow=False)


@pytest.mark.parametrize(
    "pattern, flow", [("frame.jpg", False), ("%d.jpg", True), ("%q", False), ("%d", True)]
)
def test_patterns_that_name_no_frame(videos, pattern, flow):
    with pytest.raises(ConfigError, match=r"name_pattern .* does not name frames"):
        VideoList(videos.lines.source, flow, pattern)


@given(
    length=st.integers(1, 60),
    segments=st.integers(1, 9),
    taken=st.integers(1, 6),
    training=st.booleans(),
    position=st.integers(0, 2**40),
)
def test_frames_lie_in_their_segments(videos, length, segments, taken, training, position):
    made = batches(videos, segments, taken, TRAIN if training else TEST)
    if length < taken:
        with pytest.raises(DataError, match=f"new_length is {taken}; the video has {length} frames"):
            made.starts(length, position)
        return
    starts, each = made.starts(length, position), length // segments
    assert len(starts) == segments and starts == made.starts(length, position)
    assert all(0 <= start and start + taken <= length for start in starts)
    if each >= taken:
        assert all(i * each <= start and start + taken <= (i + 1) * each for i, start in enumerate(starts))
    if each >= taken and not training:
        assert starts[0] == (each - taken + 1) // 2


def test_every_start_is_drawn(videos):
    made = batches(videos, 6, 2)
    drawn = np.array([made.starts(30, position) for position in range(200)]) - 5 * np.arange(6)
    assert all(set(column) == {0, 1, 2, 3} for column in drawn.T)
    assert len({tuple(row) for row in drawn.tolist()}) > 150
    assert (np.array(batches(videos, 6, 2, key=(1, 3)).starts(30, 7)) - 5 * np.arange(6) != drawn[7]).any()


def test_sizes_of_crops():
    """Of 256 pixels: 256, 224, 192 and 168, and 170 counts as 168."""
    sizes = crop_sizes(256, 224, (1, 0.875, 0.75, 0.66), 1)
    assert sizes == [
        (256, 256), (256, 224), (224, 256), (224, 224), (224, 192), (192, 224), (192, 192), (192, 168),
        (168, 192), (168, 168),
    ]  # fmt: skip
    assert crop_sizes(226, 224, (1, 0.5), 0) == [(224, 224), (113, 113)]
    assert len(crop_sizes(256, 224, (1, 0.875, 0.75, 0.66), 3)) == 16


def test_places_of_crops():
    """On a grid of whole quarters, which may fall short of the edge."""
    assert crop_places(9, 13, False) == [(0, 0), (0, 12), (8, 0), (8, 12), (4, 6)]
    more = crop_places(9, 13, True)
    assert len(set(more)) == 13 and {(0, 6), (8, 6), (4, 0), (4, 12), (2, 3), (2, 9), (6, 3), (6, 9)} < set(
        more
    )


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4), st.booleans(), st.booleans(), st.booleans()
)
def test_crops_lie_in_the_frame(videos, words, scaled, fixed, more):
    fields = {
        "crop_size": 20,
        "multi_scale": scaled,
        "fix_crop": fixed,
        "more_fix_crop": more,
        "mirror": True,
    }
    crop = batches(videos, **fields).crop((40, 60), words)
    assert 0 <= crop.top <= 40 - crop.height and 0 <= crop.left <= 60 - crop.width
    assert crop.mirrored == words[0] % 2
    assert (crop.height, crop.width) in ((20, 20),) if not scaled else min(crop[2:4]) >= 26
    if fixed:
        assert (crop.top, crop.left) in crop_places(40 - crop.height, 60 - crop.width, more)
    middle = batches(videos, phase=TEST, **fields).crop((40, 61), words)
    assert middle[:4] == (10, 20, 20, 20)


def test_a_list_that_is_not_there():
    with pytest.raises(DataError, match="cannot read"):
        VideoList(str(Path("no/list.txt")), flow=True)
