"""Windows as numbered batches, against Caffe's own steps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minicaffe.data import images
from minicaffe.data.batch import Batch
from minicaffe.data.order import Share
from minicaffe.data.resize import Resize
from minicaffe.data.window_list import Window, WindowList
from minicaffe.data.windows import WindowBatches, warp
from minicaffe.errors import ConfigError, DataError
from minicaffe.proto import binary, text
from minicaffe.proto.schema import TransformationParameter, message_class

SIZE = (20, 30)  # of the images
CORNERS = st.tuples(st.integers(0, 29), st.integers(0, 29), st.integers(0, 19), st.integers(0, 19))


def window_of(corners) -> Window:
    (x1, x2), (y1, y2) = sorted(corners[:2]), sorted(corners[2:])
    return Window(0, 1, x1, y1, x2, y2)


def by_caffes_steps(window, crop, context_pad, square, mirrored):
    """WindowDataLayer<float>::load_batch: part of the image, place and size in the output."""

    def c_round(value):
        return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)

    f = np.float32
    x1, y1, x2, y2 = window[2:]
    height, width = SIZE
    context_scale = f(crop) / f(crop - 2 * context_pad)
    half_height, half_width = f((y2 - y1 + 1) / 2.0), f((x2 - x1 + 1) / 2.0)
    center_x, center_y = f(x1) + half_width, f(y1) + half_height
    if square:
        half_width = half_height = max(half_height, half_width)
    x1 = c_round(float(center_x - half_width * context_scale))
    x2 = c_round(float(center_x + half_width * context_scale))
    y1 = c_round(float(center_y - half_height * context_scale))
    y2 = c_round(float(center_y + half_height * context_scale))
    unclipped_height, unclipped_width = y2 - y1 + 1, x2 - x1 + 1
    pad_x1, pad_y1 = max(0, -x1), max(0, -y1)
    pad_x2, pad_y2 = max(0, x2 - width + 1), max(0, y2 - height + 1)
    x1, x2, y1, y2 = x1 + pad_x1, x2 - pad_x2, y1 + pad_y1, y2 - pad_y2
    scale_x, scale_y = f(crop) / f(unclipped_width), f(crop) / f(unclipped_height)
    out_width = c_round(float(f(x2 - x1 + 1) * scale_x))
    out_height = c_round(float(f(y2 - y1 + 1) * scale_y))
    pad_x1, pad_x2 = c_round(float(f(pad_x1) * scale_x)), c_round(float(f(pad_x2) * scale_x))
    pad_h, pad_w = c_round(float(f(pad_y1) * scale_y)), pad_x2 if mirrored else pad_x1
    out_height = min(out_height, crop - pad_h)
    out_width = min(out_width, crop - pad_w)
    return (slice(None), slice(y1, y2 + 1), slice(x1, x2 + 1)), pad_h, pad_w, out_height, out_width


@given(
    corners=CORNERS,
    crop=st.integers(1, 40),
    share=st.floats(0, 0.49),
    square=st.booleans(),
    mirrored=st.booleans(),
)
def test_warp_is_caffes(corners, crop, share, square, mirrored):
    window, pad = window_of(corners), int(share * crop)
    if pad or square:
        assert warp(window, SIZE, crop, pad, square, mirrored) == by_caffes_steps(
            window, crop, pad, square, mirrored
        )
    else:
        _, _, x1, y1, x2, y2 = window
        part = np.s_[:, y1 : y2 + 1, x1 : x2 + 1]
        assert warp(window, SIZE, crop, pad, square, mirrored) == (part, 0, 0, crop, crop)


@pytest.mark.parametrize("corners", [(-1, 0, 3, 3), (0, -1, 3, 3), (0, 0, 30, 3), (0, 0, 3, 20)])
def test_a_window_must_lie_in_the_image(corners):
    with pytest.raises(
        DataError, match=r"must lie in the image, 20 x 30; got x .*; hint: context_pad allows"
    ):
        warp(Window(0, 1, *corners), SIZE, 8, 0, False, False)
    assert warp(Window(0, 1, *corners), SIZE, 8, 1, False, False).height <= 8


def test_a_window_must_meet_the_image():
    with pytest.raises(DataError, match="a window must meet the image, 20 x 30; got x 40 to 50"):
        warp(Window(0, 1, 40, 0, 49, 9), SIZE, 8, 0, True, False)


# -- batches


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(2)
    lines = []
    for i in range(3):
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), np.uint8)).save(tmp_path / f"{i}.png")
        lines += [f"# {i}", f"{i}.png", "3", "20", "30", "4"]
        lines += [f"{i + 1} 0.9 {i} 1 {i + 9} 12", f"{i + 4} 0.8 12 3 29 19"]
        lines += ["1 0.1 0 0 5 5", "1 0.2 6 10 20 15"]
    (tmp_path / "windows.txt").write_text("\n".join(lines))
    return tmp_path


def make(folder, conf="batch_size: 8", transform="crop_size: 10", scale=1.0, **options) -> WindowBatches:
    conf = text.parse(f'root_folder: "{folder}/" {conf}', message_class("WindowDataParameter"))
    windows = WindowList(str(folder / "windows.txt"), conf)
    transform = text.parse(transform, TransformationParameter)
    share = Share(conf.batch_size, (1, 2), **options)
    return WindowBatches(windows, conf, transform, scale, share)


def draw(batches: WindowBatches, number: int) -> tuple[np.ndarray, np.ndarray]:
    count = batches.conf.batch_size
    out = Batch(np.full((count, 3, 10, 10), np.nan, np.float32), np.full(count, np.nan, np.float32))
    batches(number, out)
    return out.images, out.labels


def candidates(folder, foreground: bool) -> dict[bytes, int]:
    """Every window that a batch may hold, warped, and its label."""
    found = {}
    for i in range(3):
        image = images.read(folder / f"{i}.png")
        corners = [(i, 1, i + 9, 12), (12, 3, 29, 19)] if foreground else [(0, 0, 5, 5), (6, 10, 20, 15)]
        for x1, y1, x2, y2 in corners:
            patch = np.empty((3, 10, 10), np.uint8)
            Resize(10, 10)(image[:, y1 : y2 + 1, x1 : x2 + 1], patch)
            label = {0: 0, 1: i + 1, 2: i + 4}[foreground * (1 + (x1 == 12))]
            for variant in (patch, patch[:, :, ::-1]):
                found[variant.tobytes()] = label
    return found


@pytest.mark.parametrize("cache", ["", "cache_images: true"])
def test_background_comes_first(folder, cache):
    batches, seen = make(folder, f"batch_size: 8 fg_fraction: 0.4 {cache}"), set()
    for number in range(12):
        pixels, labels = draw(batches, number)
        for k, (patch, label) in enumerate(zip(pixels, labels)):
            assert candidates(folder, k >= 5)[patch.astype(np.uint8).tobytes()] == label
            seen.add((k >= 5, patch.tobytes()))
    assert len(seen) == 12  # all windows, and no mirrored ones


def test_windows_are_mirrored(folder):
    batches = make(folder, transform="crop_size: 10 mirror: true")
    seen = {patch.tobytes() for number in range(40) for patch in draw(batches, number)[0]}
    assert len(seen) == 24


def test_a_batch_is_a_function_of_its_number(folder):
    conf, transform = "batch_size: 6 context_pad: 2 crop_mode: 'square'", "crop_size: 10 mirror: true"
    batches = make(folder, conf, transform)
    wanted = {number: draw(batches, number) for number in (3, 0, 5)}
    for number in (5, 3):
        for one, other in zip(draw(make(folder, conf, transform), number), wanted[number]):
            np.testing.assert_array_equal(one, other)
    assert (wanted[0][0] != wanted[5][0]).any()


def test_means_and_scale(folder, tmp_path):
    plain, _ = draw(make(folder), 1)
    one, _ = draw(make(folder, transform="crop_size: 10 mean_value: 7", scale=0.5), 1)
    np.testing.assert_array_equal(one, (plain - 7) * np.float32(0.5))
    transform = "crop_size: 10 mean_value: 7 std_value: [2, 4, 8]"
    divided, _ = draw(make(folder, transform=transform, scale=0.5), 1)
    np.testing.assert_array_equal(divided, (plain - 7) / np.float32([4, 8, 16]).reshape(3, 1, 1))
    three, _ = draw(make(folder, transform="crop_size: 10 mean_value: [1, 2, 3]"), 1)
    np.testing.assert_array_equal(three, plain - np.float32([1, 2, 3]).reshape(3, 1, 1))
    mean = np.random.default_rng(0).uniform(0, 255, (3, 14, 17)).astype(np.float32)
    for stored in (mean, mean[None]):
        (tmp_path / "mean").write_bytes(binary.from_array(stored).SerializeToString())
        by_file, _ = draw(make(folder, transform=f'crop_size: 10 mean_file: "{tmp_path}/mean"'), 1)
        np.testing.assert_array_equal(by_file, plain - mean[:, 2:12, 3:13])


def test_context_beyond_the_image_stays_zero(folder):
    (folder / "windows.txt").write_text("# 0\n0.png\n3\n20\n30\n1\n1 1 0 0 9 9\n")
    conf = "batch_size: 4 fg_fraction: 1 context_pad: 2"
    transform = "crop_size: 10 mirror: true mean_value: 500"
    pixels, _ = draw(make(folder, conf, transform), 0)
    sides = set()
    for image in pixels:
        assert (image[:, :2] == 0).all() and (image[:, 2:, 3:7] < 0).all()
        left, right = (image[:, :, :2] == 0).all(), (image[:, :, 8:] == 0).all()
        assert left != right
        sides.add(bool(left))
    assert sides == {True, False}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("batch_size: 8 fg_threshold: 2", "windows.txt: a batch needs 2 foreground windows; there is none"),
        ("batch_size: 8 bg_threshold: 0", "windows.txt: a batch needs 6 background windows; there is none"),
    ],
)
def test_batches_that_cannot_be_filled(folder, conf, message):
    with pytest.raises(DataError, match=message):
        make(folder, conf)


def test_one_kind_is_enough_if_only_one_is_drawn(folder):
    _, labels = draw(make(folder, "batch_size: 8 fg_threshold: 2 fg_fraction: 0"), 0)
    assert (labels == 0).all()


@pytest.mark.parametrize(
    ("transform", "error", "message"),
    [
        ('mean_value: 1 mean_file: "x"', ConfigError, "both mean_file and mean_value are set"),
        ("mean_value: [1, 2]", ConfigError, r"once per channel \(3\); got 2 values"),
        ('mean_file: "MEAN"', DataError, r"3 channels of at least 10 x 10; got \(3, 9, 12\)"),
    ],
)
def test_means_that_do_not_fit(folder, tmp_path, transform, error, message):
    (tmp_path / "MEAN").write_bytes(binary.from_array(np.zeros((3, 9, 12))).SerializeToString())
    with pytest.raises(error, match=message):
        make(folder, transform=f"crop_size: 10 {transform}".replace("MEAN", f"{tmp_path}/MEAN"))


def test_errors_name_file_and_line(folder):
    (folder / "windows.txt").write_text("# 0\n0.png\n3\n20\n30\n1\n1 1 0 0 30 9\n")
    with pytest.raises(DataError, match=r"windows.txt:1: .*0.png: a window must lie in the image"):
        draw(make(folder, "batch_size: 1 fg_fraction: 1"), 0)
    (folder / "windows.txt").write_text("# 0\nnone.png\n3\n20\n30\n1\n1 1 0 0 30 9\n")
    with pytest.raises(DataError, match=r"windows.txt:1: .*cannot read .*none.png"):
        draw(make(folder, "batch_size: 1 fg_fraction: 1"), 0)
