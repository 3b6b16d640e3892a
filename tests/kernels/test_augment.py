"""Changes of images against closed forms and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.kernels.augment import pixels
from minicaffe.kernels.augment import plan as plans
from minicaffe.kernels.augment.render import render
from minicaffe.kernels.augment.settings import Settings

KEY = (np.uint32(7), np.uint32(9))
RNG = np.random.default_rng(2)


def plain(**columns: float) -> np.ndarray:
    """A plan of which nothing but these columns happens."""
    row = np.zeros(plans.LENGTH)
    row[plans.M] = row[plans.M + 4] = row[plans.GAIN] = row[plans.DISTANCE] = row[plans.COLOUR] = 1
    for name, value in columns.items():
        row[getattr(plans, name)] = value
    return row


def moved(angle=0.0, dx=0.0, dy=0.0, scale=1.0, shear=0.0, *, size) -> np.ndarray:
    row = plain(MOVED=1)
    row[plans.M : plans.M + 6] = plans.backwards(angle, dx, dy, scale, shear, *map(float, size))
    return row


def rendered(image: np.ndarray, row: np.ndarray, fill=0.0, alpha=0.0, sigma=1.0, place=3) -> np.ndarray:
    fills = np.full(len(image), fill, np.float32)
    image = np.ascontiguousarray(image)
    out = np.empty_like(image)
    render(image[None], np.array([place]), *KEY, row[None], alpha, sigma, fills, fills, out[None])
    return out


def image(channels=1, height=9, width=9, dtype=np.uint8) -> np.ndarray:
    return RNG.integers(0, 256, (channels, height, width)).astype(dtype)


# -- what moves pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("row", [plain(), plain(MOVED=1), moved(size=(6, 11))])
def test_identity(row, dtype):
    source = image(3, 6, 11, dtype)
    np.testing.assert_array_equal(rendered(source, row, fill=99), source)


@pytest.mark.parametrize("size", [(8, 8), (9, 9)])
def test_quarter_turns_are_those_of_rot90(size):
    source = image(2, *size)
    for turns in range(-2, 3):
        got = rendered(source, moved(turns * math.pi / 2, size=size))
        np.testing.assert_array_equal(got, np.rot90(source, turns, axes=(1, 2)))


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-4, 1), (20, 0)])
def test_whole_pixels_are_shifted_exactly(dx, dy):
    source = image(2, 7, 10)
    wanted = np.full_like(source, 77)
    for y, x in np.ndindex(7, 10):
        if 0 <= y - dy < 7 and 0 <= x - dx < 10:
            wanted[:, y, x] = source[:, y - dy, x - dx]
    np.testing.assert_array_equal(rendered(source, moved(dx=dx, dy=dy, size=(7, 10)), fill=77), wanted)


def test_half_a_pixel_is_the_mean_of_two():
    source = image(1, 4, 5, np.float32)
    got = rendered(source, moved(dx=0.5, size=(4, 5)), fill=10)
    before = np.concatenate([np.full((1, 4, 1), 10), source[:, :, :-1]], axis=2)
    np.testing.assert_allclose(got, (source + before) / 2, rtol=1e-6)


@pytest.mark.parametrize("scale", [2.0, 4.0, 1.25])
def test_a_scaled_ramp_is_a_flatter_ramp(scale):
    y, x = np.mgrid[:9, :13].astype(np.float32)
    for ramp, centre in ((3 * x + 20, 6), (5 * y, 4)):
        got = rendered(ramp[None], moved(scale=scale, size=(9, 13)))[0]
        middle = ramp[4, 6]
        np.testing.assert_allclose(got, middle + (ramp - middle) / scale, rtol=1e-5)
        assert got[4, 6] == middle and centre


def test_shear_by_45_degrees_moves_rows_by_whole_pixels():
    source = image(1, 5, 21)
    got = rendered(source, moved(shear=math.pi / 4, size=(5, 21)))
    for y in range(5):
        wanted = np.roll(source[0, y], y - 2)
        inside = slice(2, 19)
        np.testing.assert_array_equal(got[0, y, inside], wanted[inside])


@given(
    angle=st.floats(-3.1, 3.1),
    dx=st.floats(-9, 9),
    scale=st.floats(0.3, 3),
    shear=st.floats(-1, 1),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    bent=st.booleans(),
)
@settings(max_examples=60)
def test_all_at_once_is_one_interpolation_of_scipys(angle, dx, scale, shear, size, bent):
    ndimage = pytest.importorskip("scipy.ndimage")
    source = image(2, *size, np.float32)
    row = moved(angle, dx, 1.5, scale, shear, size=size)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    if bent:
        row[plans.BENT] = 1
        fields = np.empty((2, *size), np.float32)
        pixels.bend(np.uint64(3), plans.ELASTIC, *KEY, 9.0, 1.5, fields, np.empty(size, np.float32))
        x, y = x + fields[0], y + fields[1]
    m = row[plans.M : plans.M + 6]
    at = [m[3] * x + m[4] * y + m[5], m[0] * x + m[1] * y + m[2]]
    got = rendered(source, row, fill=50, alpha=9, sigma=1.5)
    for plane, result in zip(source, got):
        wanted = ndimage.map_coordinates(plane.astype(float), at, order=1, mode="grid-constant", cval=50)
        np.testing.assert_allclose(result, wanted, atol=2e-3)


def test_a_part_alone_shows_no_fill():
    """Half a pixel at its border lies outside the image: there stands the border's own pixel."""
    across, down = 0.5, 1.0
    row = plain(MOVED=1, INSIDE=1)
    row[plans.M : plans.M + 6] = across, 0, 0.5 * across - 0.5, 0, down, 0.5 * down - 0.5
    source = image(1, 6, 8, np.float32)
    got = rendered(source, row, fill=1e6)
    columns = np.clip((np.arange(8) + 0.5) * across - 0.5, 0, 7)
    wanted = np.stack([np.interp(columns, np.arange(8), line) for line in source[0]])
    np.testing.assert_allclose(got[0], wanted, rtol=1e-5)


def test_pixels_that_are_bent_keep_near_their_neighbours():
    """The displacements have the strength that is documented, and are smooth."""
    fields = np.empty((2, 200, 200), np.float32)
    scratch = np.empty((200, 200), np.float32)
    pixels.bend(np.uint64(5), plans.ELASTIC, *KEY, 34.0, 4.0, fields, scratch)
    inner = fields[:, 20:-20, 20:-20]
    assert inner.std() == pytest.approx(34 / math.sqrt(3) / (2 * 4 * math.sqrt(math.pi)), rel=0.1)
    assert abs(inner.mean()) < 0.2 and np.abs(np.diff(inner, axis=2)).max() < 1.5
    assert abs(np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1]) < 0.2


# -- what happens to pixels where they are


@given(
    sigma=st.floats(0.05, 12),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    channels=st.integers(1, 3),
)
@settings(max_examples=40)
def test_blur_is_scipys(sigma, size, channels):
    ndimage = pytest.importorskip("scipy.ndimage")
    source = image(channels, *size, np.float32)
    got = rendered(source, plain(BLUR_SIGMA=sigma))
    for plane, result in zip(source, got):
        wanted = ndimage.gaussian_filter(plane.astype(float), sigma, truncate=3, mode="reflect")
        np.testing.assert_allclose(result, wanted, atol=1e-3)


def test_brightness_and_contrast():
    source = image(2, 5, 6, np.float32)
    np.testing.assert_allclose(rendered(source, plain(GAIN=0.5)), 0.5 * source, rtol=1e-6)
    mean = source.mean()
    wanted = 1.2 * (mean + 0.3 * (source - mean))
    np.testing.assert_allclose(rendered(source, plain(GAIN=1.2, DISTANCE=0.3)), wanted, rtol=1e-5)
    np.testing.assert_allclose(rendered(source, plain(DISTANCE=0)), np.full_like(source, mean), rtol=1e-5)


def test_a_third_of_a_turn_takes_red_to_green_to_blue():
    blue, green, red = source = image(3, 5, 6, np.float32)
    got = rendered(source, plain(TURN=2 * math.pi / 3))
    np.testing.assert_allclose(got, np.stack([green, red, blue]), atol=1e-3)
    np.testing.assert_allclose(rendered(source, plain(TURN=-2 * math.pi / 3)), [red, blue, green], atol=1e-3)


@given(angle=st.floats(-3.1, 3.1), saturation=st.floats(0, 3))
@settings(max_examples=30)
def test_colours_keep_their_grey_and_turn_rigidly(angle, saturation):
    source = image(3, 4, 4, np.float32)
    got = rendered(source, plain(TURN=angle, COLOUR=saturation))
    np.testing.assert_allclose(got.mean(0), source.mean(0), atol=1e-3)
    lengths = [np.linalg.norm(x - x.mean(0), axis=0) for x in (got, source)]
    np.testing.assert_allclose(lengths[0], saturation * lengths[1], atol=1e-2)


def test_noise_is_normal_and_every_value_has_its_own():
    source = np.zeros((3, 101, 99), np.float32)
    one = rendered(source, plain(NOISE_STD=10))
    assert one.mean() == pytest.approx(0, abs=0.3) and one.std() == pytest.approx(10, rel=0.02)
    share = [np.mean(np.abs(one) < 10 * k) for k in (1, 2, 3)]
    np.testing.assert_allclose(share, [0.6827, 0.9545, 0.9973], atol=0.01)
    assert np.abs(one).max() < 60 and len(np.unique(one)) > 0.99 * one.size
    flat = one.ravel()
    for lag in (1, 2, 3, 4, 99, 99 * 101):
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) < 0.03
    other = rendered(source, plain(NOISE_STD=10), place=4)
    assert abs(np.corrcoef(flat, other.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("count", range(1, 9))
def test_noise_of_few_values(count):
    """Numbers come in fours."""
    many = rendered(np.zeros((1, 1, 8), np.float32), plain(NOISE_STD=10))
    few = rendered(np.zeros((1, 1, count), np.float32), plain(NOISE_STD=10))
    np.testing.assert_array_equal(few[0, 0], many[0, 0, :count])


def test_bytes_are_rounded_and_held():
    source = np.array([0, 1, 101, 254, 255], np.uint8).reshape(1, 1, 5)
    assert rendered(source, plain(GAIN=0.5)).ravel().tolist() == [0, 1, 51, 127, 128]
    assert rendered(source, plain(GAIN=3)).ravel().tolist() == [0, 3, 255, 255, 255]
    assert rendered(np.full((1, 1, 500), 1, np.uint8), plain(NOISE_STD=9)).max() < 60  # none below 0 wraps
    assert rendered(source.astype(np.float32), plain(GAIN=3)).max() == 765


def test_a_shade_is_a_share_of_the_way_to_its_value():
    """From column 2 to column 6, between none and 0.6 of the way; half of it in the middle."""
    a, b, c = plans.ramp(0.0, 4.0, 4.0, 0.0)
    source = image(2, 3, 9, np.float32)
    got = rendered(source, plain(STRENGTH=0.6, VALUE=200, A=a, B=b, C=c))
    share = 0.6 * np.array([0, 0, 0, 5 / 32, 1 / 2, 27 / 32, 1, 1, 1])  # t^2 (3 - 2 t) at t = 0, 1/4 ... 1
    np.testing.assert_allclose(got, source + (200 - source) * share, rtol=1e-5, atol=1e-4)
    a, b, c = plans.ramp(math.pi / 2, 0.01, 0.0, 0.5)  # all below row 0
    got = rendered(source, plain(STRENGTH=1, VALUE=7, A=a, B=b, C=c))
    np.testing.assert_array_equal(got[:, 0], source[:, 0])
    np.testing.assert_allclose(got[:, 1:], 7, atol=1e-4)


def test_a_rectangle_is_erased():
    source = image(3, 8, 9)
    wanted = source.copy()
    wanted[:, 2:5, 4:9] = 31
    got = rendered(source, plain(TOP=2, LEFT=4, ROWS=3, COLUMNS=5, NOISE_STD=0), fill=31)
    np.testing.assert_array_equal(got, wanted)


# -- plans

ALL = Settings(
    *(0.5, 0.2, 0.8, 0.5, 2.0),  # crop
    *(0.7, 30.0, 0.25, 0.5, 1.5, 20.0),  # affine
    *(0.4, 9.0, 2.0),  # elastic
    *(0.6, 0.5, 2.0),  # blur
    *(0.3, 0.6, 1.4),  # brightness
    *(0.35, 0.7, 1.3),
    *(0.45, 0.0, 2.0),
    *(0.55, -30.0, 60.0),  # hue
    *(0.6, 0.2, 0.7, 0.1, 0.9, 255.0),  # shade
    *(0.65, 5.0),  # noise
    *(0.25, 0.05, 0.3, 0.4, 2.5),  # erase
)
OFF = Settings()


def drawn(s: Settings, count=6000, size=(20, 30), key=KEY, start=0) -> np.ndarray:
    out = np.empty((count, plans.LENGTH))
    plans.plan(np.arange(start, start + count), *key, s, *map(float, size), out)
    return out


def test_nothing_happens_unless_asked_for():
    np.testing.assert_array_equal(drawn(OFF, 5), [plain()] * 5)


def test_shares_are_the_probabilities():
    p = drawn(ALL)
    happened = {
        "elastic": p[:, plans.BENT] > 0,
        "blur": p[:, plans.BLUR_SIGMA] > 0,
        "brightness": p[:, plans.GAIN] != 1,
        "contrast": p[:, plans.DISTANCE] != 1,
        "saturation": p[:, plans.COLOUR] != 1,
        "hue": p[:, plans.TURN] != 0,
        "shade": p[:, plans.STRENGTH] > 0,
        "noise": p[:, plans.NOISE_STD] > 0,
        "erase": p[:, plans.ROWS] > 0,
        "affine": drawn(OFF._replace(affine=ALL.affine))[:, plans.MOVED] > 0,
        "crop": drawn(OFF._replace(crop=ALL.crop))[:, plans.MOVED] > 0,
    }
    for step, happens in happened.items():
        assert np.mean(happens) == pytest.approx(getattr(ALL, step), abs=0.025), step
    together = np.corrcoef(
        [happened[step] for step in ("elastic", "blur", "brightness", "shade", "noise", "erase")]
    )
    assert np.abs(together - np.eye(6)).max() < 0.06


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("BLUR_SIGMA", 0.5, 2),
        ("GAIN", 0.6, 1.4),
        ("DISTANCE", 0.7, 1.3),
        ("COLOUR", 0, 2),
        ("STRENGTH", 0.2, 0.7),
    ],
)
def test_numbers_are_uniform_between_their_limits(column, low, high):
    values = drawn(ALL._replace(blur=1.0, brightness=1.0, contrast=1.0, saturation=1.0, shade=1.0))
    values = values[:, getattr(plans, column)]
    assert (
        low <= values.min() < low + 0.01 * (high - low) and high - 0.01 * (high - low) < values.max() <= high
    )
    np.testing.assert_allclose(
        np.quantile(values, [0.25, 0.5, 0.75]), low + (high - low) * np.r_[1:4] / 4, atol=0.04
    )


def test_affine_draws():
    """The matrix is taken apart again: into angle, scale, shear and where the centre goes."""
    height, width = 20, 30
    s = OFF._replace(affine=1.0, rotation=30.0, translation=0.25, scale_min=0.5, scale_max=1.5, shear=20.0)
    m = drawn(s, size=(height, width))[:, plans.M : plans.M + 6].reshape(-1, 2, 3)
    forward = np.linalg.inv(m[:, :, :2])  # scale * R * [[1, tan], [0, 1]]
    scale = np.hypot(forward[:, 0, 0], forward[:, 1, 0])
    angle = np.degrees(np.arctan2(-forward[:, 1, 0], forward[:, 0, 0]))
    rotated = np.einsum("nij,njk->nik", turn(-angle), forward) / scale[:, None, None]
    shear = np.degrees(np.arctan(rotated[:, 0, 1]))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.einsum("nij,nj->ni", forward, centre - m[:, :, 2]) - centre
    for values, low, high in (
        (scale, 0.5, 1.5),
        (angle, -30, 30),
        (shear, -20, 20),
        (shift[:, 0], -7.5, 7.5),
        (shift[:, 1], -5, 5),
    ):
        span = high - low
        assert (
            low - 1e-6 <= values.min() < low + 0.01 * span
            and high - 0.01 * span < values.max() <= high + 1e-6
        )
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.02 * span)
        assert values.std() == pytest.approx(span / math.sqrt(12), rel=0.03)
    apart = np.corrcoef([scale, angle, shear, *shift.T])
    assert np.abs(apart - np.eye(5)).max() < 0.06


def turn(degrees: np.ndarray) -> np.ndarray:
    """Matrices that turn against the clock, as seen with y downwards."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)


def test_shades_pass_through_the_image_in_all_directions():
    height, width = 20, 30
    p = drawn(OFF._replace(shade=1.0, shade_strength_max=1.0, shade_width_min=0.1, shade_width_max=0.9))
    a, b, c = p[:, plans.A], p[:, plans.B], p[:, plans.C]
    widths_px = 1 / np.hypot(a, b)
    assert 3 - 1e-9 <= widths_px.min() < 3.3 and 26.7 < widths_px.max() <= 27 + 1e-9
    assert widths_px.mean() == pytest.approx(15, rel=0.02)
    directions = np.arctan2(b, a) / (2 * math.pi) % 1
    np.testing.assert_allclose(np.quantile(directions, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.03)
    corners = np.stack([a * x + b * y + c for x in (0, width - 1) for y in (0, height - 1)])
    assert (corners.min(0) <= 0.5).all() and (corners.max(0) >= 0.5).all()
    sharp = drawn(OFF._replace(shade=1.0, shade_strength_max=1.0), 50)
    np.testing.assert_allclose(np.hypot(sharp[:, plans.A], sharp[:, plans.B]), 1 / plans.SHARPEST_PX)


@pytest.mark.parametrize("size", [(20, 30), (64, 64), (50, 10)])
def test_parts_lie_in_the_image_and_have_the_size_and_aspect_asked_for(size):
    height, width = size
    s = OFF._replace(crop=1.0, crop_area_min=0.2, crop_area_max=0.8, crop_aspect_min=0.5, crop_aspect_max=2.0)
    m = drawn(s, size=size)[:, plans.M : plans.M + 6]
    across, down = m[:, 0], m[:, 4]
    left, top = m[:, 2] + 0.5 - 0.5 * across, m[:, 5] + 0.5 - 0.5 * down
    assert left.min() >= -1e-9 and (left + across * width).max() <= width + 1e-9
    assert top.min() >= -1e-9 and (top + down * height).max() <= height + 1e-9
    aspect = across * width / (down * height)
    assert 0.5 - 1e-9 <= aspect.min() and aspect.max() <= 2 + 1e-9
    area, most = across * down, np.minimum(aspect * height / width, width / height / aspect)
    assert area.max() <= 0.8 + 1e-9
    assert (area >= np.minimum(0.2, most) - 1e-9).all()
    if height == width:
        assert np.log(aspect).mean() == pytest.approx(0, abs=0.03) and area.min() >= 0.2
        assert 0.22 > area.min() and 0.78 < area.max()


def test_rectangles_lie_in_the_image():
    s = OFF._replace(
        erase=1.0, erase_area_min=0.05, erase_area_max=0.3, erase_aspect_min=0.4, erase_aspect_max=2.5
    )
    p = drawn(s, size=(40, 60))
    top, left, rows, columns = p[:, plans.TOP : plans.COLUMNS + 1].T
    assert top.min() == 0 and (top + rows).max() == 40 and left.min() == 0 and (left + columns).max() == 60
    area = rows * columns / 2400
    assert 0.04 < area.min() < 0.06 and 0.29 < area.max() < 0.32
    assert (
        p[:, plans.TOP : plans.COLUMNS + 1].tolist() == np.rint(p[:, plans.TOP : plans.COLUMNS + 1]).tolist()
    )


def test_a_step_that_is_added_leaves_the_others_numbers():
    base = OFF._replace(affine=1.0, rotation=30.0, noise=0.5, noise_std=5.0)
    more = base._replace(blur=0.5, blur_sigma_max=2.0, erase=1.0, erase_area_max=0.5, hue=0.2, hue_max=9.0)
    one, other = drawn(base, 50), drawn(more, 50)
    same = [*range(plans.M, plans.INSIDE + 1), plans.NOISE_STD]
    np.testing.assert_array_equal(one[:, same], other[:, same])


def test_plans_belong_to_the_sample_not_to_the_batch():
    together = drawn(ALL, 20, start=2**33)
    for i in range(20):
        np.testing.assert_array_equal(drawn(ALL, 1, start=2**33 + i)[0], together[i])
    assert (drawn(ALL, 20) != together).any() and (
        drawn(ALL, 20, key=(KEY[0], KEY[0])) != drawn(ALL, 20)
    ).any()


def test_compiled_and_interpreted_plans_are_the_same():
    compiled, interpreted = drawn(ALL, 40), np.empty((40, plans.LENGTH))
    plans.plan.py_func(np.arange(40), *KEY, ALL, 20.0, 30.0, interpreted)
    np.testing.assert_allclose(compiled, interpreted, rtol=1e-12, atol=1e-12)


def test_plans_stay_what_they_are():
    """Resuming an old run depends on it."""
    s = OFF._replace(affine=1.0, rotation=30.0, translation=0.1, brightness=1.0, brightness_min=0.0)
    p = drawn(s, 6, key=(np.uint32(1), np.uint32(2)))
    gains = [0.2278445, 0.3716581, 0.4740992, 0.2739042, 0.0701439, 0.1700138]
    np.testing.assert_allclose(p[:, plans.GAIN], gains, atol=1e-7)
    np.testing.assert_allclose(
        p[:, plans.M + 2], [-2.085875, 1.912309, -2.223037, -2.652172, 2.37549, 4.314377], atol=1e-6
    )
