"""Tiles hold the values: every pixel of the picture is the level of the value that it stands for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from minicaffe.errors import DataError
from minicaffe.studio.tiles import (
    LAST,
    LINE,
    NOT_FINITE,
    NOTHING,
    Sheet,
    Tiles,
    numbers,
    of_blob,
    of_params,
    statistics,
)

SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)
VALUES = st.floats(-100, 100, width=32)


def pixels(sheet: Sheet) -> np.ndarray:
    """The levels in the PNG file."""
    with Image.open(io.BytesIO(sheet.png())) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


def shown(sheet: Sheet) -> np.ndarray:
    """The values that a reader of the picture finds, tile by tile."""
    facts, picture = sheet.facts(), pixels(sheet)
    zoom, gap = facts["zoom"], facts["gap"]
    h, w = (side * zoom for side in facts["tile"])
    tiles = []
    for i in range(facts["shown"]):
        y, x = gap + i // facts["columns"] * (h + gap), gap + i % facts["columns"] * (w + gap)
        tile = picture[y : y + h, x : x + w]
        assert np.array_equal(tile, tile[::zoom, ::zoom].repeat(zoom, 0).repeat(zoom, 1))
        tiles.append(tile[::zoom, ::zoom])
    levels = np.array(tiles).astype(np.float64)
    levels[levels == NOTHING] = np.nan
    return facts["low"] + levels / LAST * (facts["high"] - facts["low"])


@settings(deadline=None, max_examples=60)
@given(data=st.data(), shape=SHAPES)
def test_a_reader_of_the_picture_finds_the_values(data, shape):
    values = data.draw(arrays.arrays(np.float32, (1, *shape), elements=VALUES))
    tiles = of_blob(values)
    sheet = Sheet(tiles)
    facts = sheet.facts()
    found, width = shown(sheet), facts["high"] - facts["low"]
    count = found.size - facts["padded"]
    wanted = np.clip(values.reshape(-1), facts["low"], facts["high"])
    assert count == values.size and facts["count"] == facts["shown"]
    np.testing.assert_allclose(found.reshape(-1)[:count], wanted, atol=width / LAST / 2 + 1e-9)
    assert np.isnan(found.reshape(-1)[count:]).all()
    told = np.concatenate([np.array(sheet.value(i), object).reshape(-1) for i in range(facts["count"])])
    assert np.array_equal(told[:count].astype(np.float32), values.reshape(-1)) and set(told[count:]) <= {None}


def test_zero_is_the_middle_of_signed_values():
    sheet = Sheet(of_blob(np.array([[[[-3.0, 0.0], [1.5, 3.0]]]], np.float32)))
    zoom, gap = sheet.zoom, sheet.gap
    assert pixels(sheet)[gap:-gap:zoom, gap:-gap:zoom].tolist() == [[0, LAST // 2], [LAST * 3 // 4, LAST]]
    assert set(pixels(sheet)[0]) == {LINE}
    with Image.open(io.BytesIO(sheet.png(dark=True))) as dark, Image.open(io.BytesIO(sheet.png())) as light:
        assert (
            sum(dark.convert("RGB").getpixel((gap + zoom, gap)))
            < 100
            < 700
            < sum(light.convert("RGB").getpixel((gap + zoom, gap)))
        )


def test_what_is_not_finite_is_seen():
    sheet = Sheet(of_blob(np.array([[[[np.nan, 1.0], [np.inf, 2.0]]]], np.float32)))
    gap = sheet.gap
    assert pixels(sheet)[gap : -gap : sheet.zoom, gap : -gap : sheet.zoom].tolist() == [
        [NOT_FINITE, LAST // 2],
        [NOT_FINITE, LAST],
    ]
    assert sheet.value(0) == [[None, 1.0], [None, 2.0]]
    said = statistics(np.array([np.nan, 1, 2, 0]))
    assert (said["not_finite"], said["min"], said["max"], said["zeros"]) == (1, 0, 2, 1)
    assert sum(said["histogram"]["counts"]) == 3
    assert statistics(np.array([np.nan])) == {"count": 1, "not_finite": 1}


def test_filters_stand_in_rows():
    weights = np.arange(6 * 4 * 3 * 3, dtype=np.float32).reshape(6, 4, 3, 3)
    sheet = Sheet(of_params(weights))
    facts = sheet.facts()
    assert (facts["columns"], facts["per_row"], facts["row"], facts["column"]) == (4, 4, "filter", "channel")
    assert sheet.value(4 * 2 + 3) == weights[2, 3].tolist()
    assert np.array_equal(of_params(weights[:, :1]).values, weights[:, 0])
    assert Sheet(of_params(weights[:, :3])).facts()["colour"]
    products = np.arange(5 * 8, dtype=np.float32).reshape(5, 8)
    assert of_params(products, (2, 2, 2)).values.shape == (10, 2, 2)  # of an image it reads
    assert np.array_equal(
        of_params(products.T.copy(), (2, 2, 2), transposed=True).values[3], products[1, 4:].reshape(2, 2)
    )
    assert of_params(products, (8, 1, 1)).values.shape == (1, 5, 8)


def test_many_tiles_take_pages():
    tiles = of_params(np.arange(500 * 50 * 4, dtype=np.float32).reshape(500, 50, 2, 2))
    first, last = Sheet(tiles), Sheet(tiles, 24)
    assert (first.facts()["pages"], first.facts()["shown"], last.first) == (25, 1000, 24000)
    assert len(shown(last)) == 1000 and last.value(24000) == tiles.values[24000].tolist()
    with pytest.raises(DataError, match="page 25 of tiles; expected 0 to 24"):
        Sheet(tiles, 25)
    with pytest.raises(DataError, match="tile 25000; expected 0 to 24999"):
        first.value(25000)


def test_an_image_of_three_channels_is_in_colour():
    image = np.zeros((1, 3, 2, 2), np.float32)
    image[0, 2] = 255  # red is the last
    sheet = Sheet(of_blob(image, image=True))
    with Image.open(io.BytesIO(sheet.png())) as picture:
        assert (
            picture.getpixel((sheet.gap, sheet.gap)) == (255, 0, 0, 255) and picture.getpixel((0, 0))[3] == 0
        )


def test_numbers_are_exact():
    values = np.array([0.1, 1 / 3, -2.5e-38, np.inf], np.float32)
    assert (
        np.array_equal(np.array(numbers(values)[:3], np.float32), values[:3]) and numbers(values)[3] is None
    )
    assert isinstance(Tiles(values), Tiles)
