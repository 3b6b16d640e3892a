"""Changes of colours, the larger ground, and noise."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data import images
from minicaffe.data.detection import distortion
from minicaffe.data.detection.distortion import Change, Distortion, Expansion, distorted, expanded
from minicaffe.data.detection.noise import Noise, noisy

NEVER = Change(0, 1, 1)
STILL = Distortion(NEVER, NEVER, NEVER, NEVER, 0)
IMAGE = np.random.default_rng(4).integers(0, 256, (3, 12, 9), np.uint8)
HALF = np.full(distortion.NUMBERS, 0.5)


def always(low, high=None) -> Change:
    return Change(1, low, low if high is None else high)


def test_nothing_happens_at_random_without_probability():
    assert distorted(IMAGE, STILL, np.zeros(12)) is IMAGE


@pytest.mark.parametrize("amount", [-300, -20.4, 0, 31])
def test_brightness(amount):
    found = distorted(IMAGE, STILL._replace(brightness=always(amount)), HALF)
    np.testing.assert_array_equal(found, np.clip(np.rint(IMAGE + float(amount)), 0, 255))


def test_contrast_comes_first_or_last():
    conf = STILL._replace(brightness=always(60), contrast=always(1.5), saturation=always(0.3))
    first, last = (distorted(IMAGE, conf, np.r_[u, HALF[1:]]) for u in (0.9, 0.2))
    assert (first != last).any()
    lone = STILL._replace(contrast=always(1.5))
    np.testing.assert_array_equal(distorted(IMAGE, lone, HALF), np.clip(np.rint(IMAGE * 1.5), 0, 255))


@pytest.mark.parametrize("factor", [0, 0.4, 1, 1.7, 50])
@pytest.mark.parametrize("turn", [-170, -18, 0, 3, 40])
def test_saturation_and_hue(factor, turn):
    """Against Python's own conversion."""
    conf = STILL._replace(saturation=always(factor))
    found = distorted(IMAGE, conf, HALF)
    turned = distorted(IMAGE, STILL._replace(hue=always(turn)), HALF)
    for pixel, got, moved in zip(*(array.reshape(3, -1).T for array in (IMAGE, found, turned))):
        h, s, v = colorsys.rgb_to_hsv(*(pixel[::-1] / 255))
        wanted = np.array(colorsys.hsv_to_rgb(h, min(s * factor, 1), v))[::-1] * 255
        assert np.abs(got - wanted).max() <= 0.51
        wanted = np.array(colorsys.hsv_to_rgb((h + turn / 180) % 1, s, v))[::-1] * 255
        assert np.abs(moved - wanted).max() <= 0.51


def test_grey_stays_grey():
    grey = np.full((3, 2, 2), 77, np.uint8)
    conf = STILL._replace(saturation=always(3), hue=always(60))
    np.testing.assert_array_equal(distorted(grey, conf, HALF), grey)


def test_channels_change_places():
    conf, seen = STILL._replace(order=1), set()
    for number in np.arange(6) / 6 + 0.05:
        found = distorted(IMAGE, conf, np.where(np.arange(12) == 10, number, 0.5))
        seen.add(found.tobytes())
        assert sorted(plane.tobytes() for plane in found) == sorted(plane.tobytes() for plane in IMAGE)
    assert len(seen) == 6


@given(
    st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4), st.integers(1, 9), st.integers(1, 9)
)
def test_the_image_lies_on_its_ground(numbers, h, w):
    image = IMAGE[:, :h, :w]
    conf = Expansion(0.7, 4.0, np.array([1.4, 2, 3], np.float32))
    found, rows, columns = expanded(image, conf, np.array(numbers))
    assert found.shape[1:] == (rows.stop - rows.start, columns.stop - columns.start)
    assert h <= found.shape[1] <= 4 * h and w <= found.shape[2] <= 4 * w
    top, left = -rows.start, -columns.start
    assert 0 <= top <= found.shape[1] - h and 0 <= left <= found.shape[2] - w
    np.testing.assert_array_equal(found[:, top : top + h, left : left + w], image)
    ground = np.ones(found.shape[1:], bool)
    ground[top : top + h, left : left + w] = False
    assert (found[:, ground] == np.array([[1], [2], [3]])).all()
    if numbers[0] >= 0.7:
        assert found is image


QUIET = Noise(False, False, False, None, False, False, False, 0.0, np.zeros(1, np.float32))
NONE = np.empty(0)


def test_noise_by_hand():
    assert noisy(IMAGE, QUIET, NONE) is IMAGE
    np.testing.assert_array_equal(noisy(IMAGE, QUIET._replace(inverse=True), NONE), 255 - IMAGE)
    grey = noisy(IMAGE, QUIET._replace(decolorize=True), NONE)
    np.testing.assert_array_equal(grey, np.repeat(images.grey(IMAGE), 3, axis=0))
    levels = noisy(IMAGE, QUIET._replace(posterize=True), NONE)
    assert set(np.unique(levels)) == {32, 96, 160, 224} and (np.abs(levels.astype(int) - IMAGE) <= 32).all()
    worn = noisy(IMAGE, QUIET._replace(erode=True), NONE)
    assert worn[1, 5, 4] == IMAGE[1, 4:7, 3:6].min() and worn[2, 0, 0] == IMAGE[2, :2, :2].min()


def test_blur_and_equal_histograms_are_those_of_opencv():
    cv2 = pytest.importorskip("cv2")
    found = noisy(IMAGE, QUIET._replace(gauss_blur=True), NONE)
    wanted = cv2.GaussianBlur(IMAGE.transpose(1, 2, 0), (7, 7), 1.5).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - wanted).max() <= 1
    plane = IMAGE[:1] // 3
    found = noisy(plane, QUIET._replace(hist_eq=True), NONE)
    np.testing.assert_array_equal(found[0], cv2.equalizeHist(plane[0]))
    plain = np.full((3, 4, 4), 9, np.uint8)
    np.testing.assert_array_equal(noisy(plain, QUIET._replace(hist_eq=True), NONE), plain)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_worse_the_lower_its_quality(channels):
    smooth = np.repeat(np.add.outer(np.arange(40), 3 * np.arange(30)).astype(np.uint8)[None], channels, 0)
    far = [
        np.abs(noisy(smooth, QUIET._replace(jpeg=quality), NONE).astype(int) - smooth).mean()
        for quality in (95, 30, 2)
    ]
    assert far[0] < far[1] < far[2] and far[0] < 2


def test_salt():
    numbers = np.arange(108) / 108
    conf = QUIET._replace(salt=0.25, pepper=np.array([1, 2, 3], np.float32))
    found = noisy(IMAGE, conf, numbers)
    salted = (numbers < 0.25).reshape(12, 9)
    assert (found[:, salted] == np.array([[1], [2], [3]])).all()
    np.testing.assert_array_equal(found[:, ~salted], IMAGE[:, ~salted])
