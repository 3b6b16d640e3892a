"""Resampling as OpenCV does, and images brought to one size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.detection.boxes import marked
from minicaffe.data.detection.fitting import Fit, fitted
from minicaffe.data.detection.resampling import METHODS, resized

RANDOM = np.random.default_rng(2)
sides = st.integers(1, 24)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(7, 9), (20, 13), (31, 40), (15, 13), (60, 52), (10, 30), (45, 20), (1, 1)])
def test_the_numbers_of_opencv(method, size):
    cv2 = pytest.importorskip("cv2")
    image = RANDOM.integers(0, 256, (3, 30, 26), np.uint8)
    found = resized(image, *size, method)
    how = getattr(cv2, f"INTER_{method}")
    wanted = cv2.resize(image.transpose(1, 2, 0), size[::-1], interpolation=how).transpose(2, 0, 1)
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max() <= (1 if method not in ("NEAREST", "LINEAR") else 0)
    floats = resized(image.astype(np.float32), *size, method)
    wanted = cv2.resize(image.astype(np.float32).transpose(1, 2, 0), size[::-1], interpolation=how)
    np.testing.assert_allclose(floats, wanted.transpose(2, 0, 1), atol=0.02)


@given(st.sampled_from(METHODS), sides, sides, sides, sides, st.integers(0, 255))
def test_a_plain_image_stays_plain(method, h, w, height, width, value):
    image = np.full((2, h, w), value, np.uint8)
    found = resized(image, height, width, method)
    assert found.shape == (2, height, width) and found.dtype == np.uint8 and (found == value).all()


def fit(mode, height, width, pad="CONSTANT", values=(0,)) -> Fit:
    return Fit(mode, height, width, ("LINEAR",), pad, np.array(values, np.float32))


@given(sides, sides, sides, sides)
def test_sizes(h, w, height, width):
    small, large = (
        fit(mode, height, width).size(h, w) for mode in ("FIT_SMALL_SIZE", "FIT_LARGE_SIZE_AND_PAD")
    )
    assert fit("WARP", height, width).size(h, w) == (height, width)
    assert small[0] >= height and small[1] >= width and (small[0] == height or small[1] == width)
    assert large[0] <= height and large[1] <= width and (large[0] == height or large[1] == width)


def test_padding_by_hand():
    image = np.arange(8, dtype=np.uint8).reshape(1, 2, 4)
    boxes = marked([[0, 0, 0.5, 1]], [1])
    for pad, top, bottom in [("CONSTANT", [9] * 4, [9] * 4), ("MIRRORED", [4, 5, 6, 7], [0, 1, 2, 3])]:
        found, moved = fitted(image, boxes, fit("FIT_LARGE_SIZE_AND_PAD", 4, 4, pad, [9]), 0)
        assert found[0].tolist() == [top, [0, 1, 2, 3], [4, 5, 6, 7], bottom]
        assert moved.corners.tolist() == [[0, 0.25, 0.5, 0.75]]
    found, _ = fitted(image, None, fit("FIT_LARGE_SIZE_AND_PAD", 4, 5, "REPEAT_NEAREST"), 0)
    assert found.shape == (1, 4, 5)
    colour, _ = fitted(
        np.zeros((3, 4, 2), np.uint8), boxes, fit("FIT_LARGE_SIZE_AND_PAD", 4, 4, values=[1, 2, 3]), 0
    )
    assert colour[:, 0, 0].tolist() == [1, 2, 3] and not colour[:, :, 1:3].any()


def test_the_number_draws_the_method():
    image = RANDOM.integers(0, 256, (1, 9, 9), np.uint8)
    conf = fit("WARP", 5, 5)._replace(methods=METHODS)
    for k, method in enumerate(METHODS):
        for number in (k / 5 + 0.001, k / 5 + 0.199):
            np.testing.assert_array_equal(fitted(image, None, conf, number)[0], resized(image, 5, 5, method))
