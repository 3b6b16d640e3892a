"""The steps of reading a photo, each on what shows that it works."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from minicaffe.errors import DataError
from minicaffe.reading import light, lines, parts, photo, ruling, threshold, turning
from minicaffe.reading.cuts import cuts
from minicaffe.reading.glyphs import normalised


def paper(height=300, width=400, level=0.8, noise=0.01, seed=0):
    return np.clip(level + noise * np.random.default_rng(seed).standard_normal((height, width)), 0, 1).astype(
        np.float32
    )


def bar(picture, top, left, bottom, right, ink=0.7):
    picture[top:bottom, left:right] *= 1 - ink


def test_shadows_are_no_ink():
    grey = paper()
    bar(grey, 100, 50, 140, 56)
    bar(grey, 100, 350, 140, 356)
    shaded = grey.copy()
    shaded[:, 200:] *= 0.4  # a shadow with a hard edge
    (first, *_), (second, *_) = light.inks(grey), light.inks(shaded)
    assert first.dark and second.dark
    assert first.ink[120, 353] == pytest.approx(0.7, abs=0.05)
    assert second.ink[120, 353] == pytest.approx(0.7, abs=0.05)
    assert (second.ink > 0.35).sum() == pytest.approx((first.ink > 0.35).sum(), rel=0.05)


def test_light_on_dark():
    grey = paper(level=0.2)
    grey[100:140, 50:56] = 0.8
    found = light.inks(grey)
    assert not found[0].dark and found[0].ink[120, 53] > 0.5 and found[0].ink[200, 200] < 0.1


def test_noise_is_measured_beside_ink():
    grey = paper(noise=0.02)
    for left in range(20, 380, 30):
        bar(grey, 50, left, 250, left + 6)
    assert light.inks(grey)[0].noise == pytest.approx(0.02 / 0.8, rel=0.5)


def test_otsu():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0.2, 0.03, 4000), rng.normal(0.8, 0.03, 1000)])
    assert 0.3 < threshold.otsu(values) < 0.7


@pytest.mark.parametrize("degrees", [-8.3, 0.0, 5.5])
def test_squared_paper(degrees):
    """At its angle; its lines go, and a stroke across them stays whole."""
    page = Image.new("L", (900, 700), 220)
    draw = ImageDraw.Draw(page)
    for at in range(20, 900, 40):
        draw.line((at, 0, at, 700), 150, 2)
        draw.line((0, at, 900, at), 150, 2)
    draw.line((400, 250, 460, 430), 40, 9)
    grey = np.asarray(page.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=220), np.float32) / 255
    noise = 0.01 * np.random.default_rng(0).standard_normal(grey.shape)
    ink = light.inks(np.clip(grey + noise, 0, 1).astype(np.float32))[0]
    found = ruling.ruling(ink.ink, ink.noise)
    assert found is not None and found.level and found.upright
    assert found.view.degrees == pytest.approx(degrees, abs=0.3)
    level, _ = turning.turned(ink.ink, found.view)
    cleaned, removed = ruling.without_lines(level, ink.noise)
    assert removed.any()
    pen = threshold.ink_level(cleaned, ink.noise)
    _, whole = parts.parts_of(cleaned > threshold.local(cleaned, ink.noise, pen), cleaned, pen)
    large = [p for p in whole if p.height > 100]
    assert len(large) == 1 and sum(p.area for p in whole) < 1.2 * large[0].area


def test_plain_paper_has_no_lines():
    grey = paper()
    for k in range(8):
        bar(grey, 100 + 3 * k, 40 * k + 20, 150 + 3 * k, 40 * k + 26)
    ink = light.inks(grey)[0]
    assert ruling.ruling(ink.ink, ink.noise) is None


@given(
    st.floats(-12, 12),
    st.floats(-1e-4, 1e-4),
    st.floats(-1e-4, 1e-4),
    st.integers(30, 270),
    st.integers(30, 370),
)
def test_points_are_found_again(degrees, kx, ky, y, x):
    dot = np.zeros((300, 400), np.float32)
    dot[y - 2 : y + 3, x - 2 : x + 3] = 1
    seen, turn = turning.turned(dot, turning.View(degrees, kx, ky))
    rows, columns = np.nonzero(seen > 0.5)
    back = turning.back([turn], (columns.mean() + 0.5, rows.mean() + 0.5))
    assert back == pytest.approx((x + 0.5, y + 0.5), abs=0.8)


def part(left, top, width=20, height=40):
    return parts.Part(1, top, left, top + height, left + width, width * height // 3, 1.0)


def test_rows_are_read_from_the_top_and_the_left():
    first = [part(30 * k, round(4 * k)) for k in range(8)]
    second = [part(30 * k + 10, 90 + round(4 * k)) for k in range(6)]
    assert lines.slope(first + second) == pytest.approx(np.degrees(np.arctan2(4, 30)), rel=0.05)
    level = [part(30 * k, 0) for k in range(8)], [part(30 * k + 10, 90, height=36) for k in range(6)]
    minus = part(200, 108, 20, 5)
    speck = part(100, 300, 3, 3)
    assert lines.rows([*level[1], minus, *level[0], speck]) == [level[0], [*level[1], minus]]
    assert lines.slope([part(0, 0)]) == 0 and lines.rows([]) == []


def test_touching_characters_are_cut_between_them():
    picture = Image.new("L", (120, 80))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((5, 5, 50, 75), outline=255, width=8)
    draw.ellipse((62, 5, 112, 75), outline=255, width=8)
    draw.line((45, 60, 68, 55), 255, 8)
    mask = np.asarray(picture)[:, 5:113] > 0
    ways = cuts(mask, 70, 8)
    assert any(abs(way[35] - 51) <= 5 for way, _ in ways)
    assert all(np.abs(np.diff(way)).max() <= 1 for way, _ in ways)
    assert cuts(mask[:, :30], 70, 8) == []  # too narrow to be two


def test_a_glyph_lies_as_in_mnist():
    ink = np.zeros((90, 60), np.float32)
    ink[10:80, 20:28] = 1
    ink[70:80, 20:50] = 1
    glyph = normalised(ink, 9)
    rows = np.flatnonzero(glyph.any(axis=1))
    assert rows.max() - rows.min() + 1 == 20
    mass = glyph / glyph.sum()
    assert abs((mass.sum(axis=1) * (np.arange(28) + 0.5)).sum() - 14) <= 0.51
    assert abs((mass.sum(axis=0) * (np.arange(28) + 0.5)).sum() - 14) <= 0.51
    assert not normalised(np.zeros((5, 5), np.float32)).any()


def test_photos(tmp_path):
    large = Image.new("L", (4000, 3000), 200)
    large.save(tmp_path / "large.jpg")
    found = photo.load(tmp_path / "large.jpg")
    assert max(found.grey.shape) == photo.LARGE_PX and found.size == (2000, 1500)
    assert found.place((found.grey.shape[1], 0)) == pytest.approx((2000, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.jpg", exif=exif)
    assert photo.load(tmp_path / "turned.jpg").size == (40, 60)
    assert photo.load(np.zeros((20, 30))).colour.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 15), np.uint8), "15x20 pixels; expected at least 16"),
        (np.zeros((20, 20, 4), np.uint8), r"shape \(20, 20, 4\)"),
        (np.zeros((20, 20), np.int32), "array of int32"),
        (np.full((20, 20), 2.0), "floats that are not from 0 to 1"),
        (np.full((20, 20), np.nan), "floats that are not from 0 to 1"),
    ],
)
def test_what_is_no_photo(image, message):
    with pytest.raises(DataError, match=message):
        photo.load(image)
