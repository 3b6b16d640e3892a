"""Bringing images to one size, and dividing them into parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.making import split
from minicaffe.data.making.fit import MODES, fit
from minicaffe.errors import ConfigError

sides = st.integers(1, 40)
ROW = np.arange(8, dtype=np.uint8) * 10


def test_an_image_of_the_size_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
    for mode in MODES:
        assert fit(image, (5, 7), mode) is image


@given(sides, sides, sides, sides, st.sampled_from(MODES), st.integers(0, 255))
def test_an_even_image_stays_even_but_for_its_border(height, width, h, w, mode, fill):
    out = fit(np.full((1, height, width), 90, np.uint8), (h, w), mode, fill)
    assert out.shape == (1, h, w) and out.dtype == np.uint8
    assert set(np.unique(out).tolist()) <= {90, fill}
    if mode in ("squash", "crop"):
        assert (out == 90).all()


def test_crop_takes_the_middle():
    image = np.tile(ROW, (4, 1))[None]  # 4 x 8
    np.testing.assert_array_equal(fit(image, (4, 4), "crop"), image[:, :, 2:6])
    np.testing.assert_array_equal(
        fit(image.transpose(0, 2, 1), (4, 4), "crop"), image[:, :, 2:6].transpose(0, 2, 1)
    )


def test_fill_keeps_all_and_fills_the_border():
    image = np.tile(ROW, (4, 1))[None]
    out = fit(image, (8, 8), "fill", 7)
    np.testing.assert_array_equal(out[:, 2:6], image)
    assert (out[:, :2] == 7).all() and (out[:, 6:] == 7).all()


def test_half_crop_lies_between():
    """Of 4 x 8 at 8 x 8: scaled by 2 / (1/2 + 1) = 4/3, to round(5.33) = 5 rows, and 6 of the 8 columns."""
    image = np.tile(ROW, (4, 1))[None]
    out = fit(image, (8, 8), "half-crop", 255)
    inside = (out[0] != 255).all(axis=1)
    assert inside.tolist() == [False, True, True, True, True, True, False, False]
    assert out[0, 3, 0] >= 5 and out[0, 3, -1] <= 65 and (np.diff(out[0, 3].astype(int)) >= 0).all()


def test_squash_distorts_and_smooths():
    image = np.tile(np.array([0, 200], np.uint8), (4, 8))[None]  # 4 x 16
    np.testing.assert_allclose(fit(image, (4, 2))[0, 0].astype(int), 100, atol=10)  # no stripes are left


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=120),
    st.integers(0, 49),
    st.integers(0, 50),
    st.integers(0, 5),
)
def test_every_class_has_its_share_in_every_part(labels, val, test, seed):
    labels = np.array(labels)
    parts = split.split(labels, val, test, seed)
    for label in np.unique(labels):
        count = (labels == label).sum()
        of_class = np.bincount(parts[labels == label], minlength=3)
        assert of_class[0] >= 1
        if count > 4:
            assert abs(of_class[1] - count * val / 100) <= 1 and abs(of_class[2] - count * test / 100) <= 1
    np.testing.assert_array_equal(parts, split.split(labels, val, test, seed))


def test_a_class_more_does_not_change_the_others():
    labels = np.repeat([0, 1, 2], 20)
    parts = split.split(labels, 20, 10)
    np.testing.assert_array_equal(split.split(labels[:40], 20, 10), parts[:40])
    assert (split.split(labels, 20, 10, seed=1) != parts).any()


def test_what_is_given_stays():
    labels, given_parts = np.zeros(20, int), np.repeat([0, 2], 10).astype(np.int8)
    parts = split.split(labels, 30, given=given_parts)
    assert (parts[10:] == 2).all() and np.bincount(parts[:10]).tolist() == [7, 3]
    with pytest.raises(ConfigError, match="the source has a part test already; hint: leave --test out"):
        split.split(labels, 0, 10, given=given_parts)
