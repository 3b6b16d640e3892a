"""Arrays as pictures of tiles: one PNG a page, a square for each value, and where in it which value is."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..inference.pictures import GreyRange, range_of

MOST_TILES = 1024  # of a page
MOST_PIXELS = 1 << 20
WIDE = 1.6  # how much wider than high a page should be
TILE_PX, MOST_ZOOM = 64, 12  # what small tiles are enlarged to, and how many pixels a value has at most
FOLDED = 32  # values of a row of a vector
BINS = 40
# Levels of a picture with a palette: 0 to LAST are values; LAST / 2 is 0 where some are negative.
LAST = 252
NOT_FINITE, LINE, NOTHING = 253, 254, 255
NEGATIVE, POSITIVE = (29, 88, 196), (196, 62, 12)
MIDDLE = {False: (252, 252, 253), True: (17, 21, 28)}  # on a light page, and on a dark one
LINES = {False: (200, 206, 218), True: (58, 68, 86)}
WRONG = (214, 0, 200)

Values = list[Any]


class Tiles(NamedTuple):
    """Values in tiles.

    values   (N, h, w), or (N, 3, h, w) of images in blue, green, red; NaN stands for nothing beyond a
             vector's end if `padded`
    columns  how many tiles a row has; None: as many as look well
    row, column  what a row and a column stand for; "" where tiles are merely numbered, by `column`
    padded   values at the end of the last tile that are none
    """

    values: np.ndarray
    columns: int | None = None
    row: str = ""
    column: str = "channel"
    padded: int = 0

    @property
    def colour(self) -> bool:
        return self.values.ndim == 4


def of_blob(values: np.ndarray, *, image: bool = False) -> Tiles:
    """The tiles of a blob of one item, (1, ...): a tile for each channel, or all values in one.

    image  three channels are blue, green, red
    """
    item = values[0] if values.ndim > 1 and len(values) == 1 else values
    if item.ndim == 3 and math.prod(item.shape[1:]) > 1:
        if image and len(item) == 3:
            return Tiles(item[None], column="image")
        return Tiles(item)
    if item.ndim == 2 and min(item.shape) > 1:
        return Tiles(item[None], column="matrix")
    return _folded(item)


def of_params(values: np.ndarray, bottom: Sequence[int] = (), *, transposed: bool = False) -> Tiles:
    """The tiles of a parameter: a row for each filter, a column for each channel that it reads; the weights
    of an InnerProduct as those of an image of the shape `bottom`, (C, H, W), if it reads one."""
    if values.ndim == 2 and transposed:
        values = values.T
    if values.ndim == 2 and len(bottom) == 3 and math.prod(bottom[1:]) > 1:
        if values.shape[1] == math.prod(bottom):
            values = values.reshape(-1, *bottom)
    if values.ndim == 4 and math.prod(values.shape[2:]) > 1:
        n, c, h, w = values.shape
        if c == 3:
            return Tiles(values, column="filter")
        if c == 1:
            return Tiles(values[:, 0], column="filter")
        return Tiles(values.reshape(n * c, h, w), c, "filter", "channel")
    flat = values.reshape(values.shape[:2]) if values.ndim == 4 else values
    if flat.ndim == 2 and min(flat.shape) > 1:
        return Tiles(flat[None], column="matrix")
    return _folded(flat)


def _folded(values: np.ndarray) -> Tiles:
    flat = values.reshape(-1)
    width = min(FOLDED, max(1, flat.size)) if flat.size <= FOLDED**2 else math.ceil(math.sqrt(flat.size))
    padded = -flat.size % width if flat.size else width
    filled = np.concatenate([flat, np.full(padded, np.nan, flat.dtype)])
    return Tiles(filled.reshape(1, -1, width), column="vector", padded=padded)


class Sheet:
    """A page of tiles.

    number  of the page, from 0
    DataError for a page that there is not.
    """

    def __init__(self, tiles: Tiles, number: int = 0) -> None:
        self.tiles, self.number = tiles, number
        count, (height, width) = len(tiles.values), tiles.values.shape[-2:]
        wished = tiles.columns or math.ceil(math.sqrt(WIDE * count * height / max(1, width)))
        self.columns = max(1, min(count, wished, MOST_TILES, MOST_PIXELS // (width + 1)))
        if tiles.columns and self.columns < tiles.columns:  # a row's channels would not fit into a row
            self.columns = min(self.columns, 64)
        most = min(MOST_TILES, MOST_PIXELS // ((height + 1) * (width + 1))) // self.columns
        self.step = self.columns * max(1, most)
        self.pages = max(1, math.ceil(count / self.step))
        if not 0 <= number < self.pages:
            raise DataError(f"page {number} of tiles; expected 0 to {self.pages - 1}")
        self.first = number * self.step
        self.shown = tiles.values[self.first : self.first + self.step]
        side = max(height, width) if count > 1 else max(1, max(height, width) // 4)
        self.zoom = max(1, min(MOST_ZOOM, TILE_PX // side))
        self.gap = 1 if self.zoom == 1 else 2
        self.range = _range(tiles)

    @property
    def signed(self) -> bool:
        return self.range.black < 0

    def levels(self) -> np.ndarray:
        """The picture, (H, W) of levels, or (H, W, 4) of colours for tiles in colour: tiles with a line of
        `gap` pixels around each, every value `zoom` pixels wide and high."""
        height, width = (side * self.zoom for side in self.shown.shape[-2:])
        gap, rows = self.gap, max(1, math.ceil(len(self.shown) / self.columns))
        size = (rows * (height + gap) + gap, self.columns * (width + gap) + gap)
        colour = self.tiles.colour
        picture = np.zeros((*size, 4), np.uint8) if colour else np.full(size, NOTHING, np.uint8)
        corners = [
            (gap + i // self.columns * (height + gap), gap + i % self.columns * (width + gap))
            for i in range(len(self.shown))
        ]
        for y, x in corners if not colour else ():
            picture[y - gap : y + height + gap, x - gap : x + width + gap] = LINE
        for (y, x), tile in zip(corners, self.shown):
            place = picture[y : y + height, x : x + width]
            if colour:
                place[..., :3] = self._enlarged(self.range.grey(tile)[::-1].transpose(1, 2, 0))
                place[..., 3] = 255
            else:
                place[...] = self._enlarged(self._level(tile))
        if self.tiles.padded and self.number == self.pages - 1:
            picture[-gap - self.zoom :, -gap - self.tiles.padded * self.zoom :] = NOTHING
        return picture

    def _enlarged(self, values: np.ndarray) -> np.ndarray:
        return values.repeat(self.zoom, axis=0).repeat(self.zoom, axis=1)

    def _level(self, tile: np.ndarray) -> np.ndarray:
        low, high = self.range.black, self.range.white
        finite = np.isfinite(tile)
        share = (np.where(finite, tile, 0).astype(np.float64) - low) / ((high - low) or 1.0)
        return np.where(finite, np.rint(np.clip(share, 0, 1) * LAST), NOT_FINITE).astype(np.uint8)

    def png(self, *, dark: bool = False) -> bytes:
        """The picture's file.  Negative values are blue, positive ones orange, 0 is like the page, light or
        dark; where none is negative, 0 is black and the largest value white."""
        from PIL import Image

        levels, buffer = self.levels(), io.BytesIO()
        if self.tiles.colour:
            Image.fromarray(levels).save(buffer, "PNG")
        else:
            picture = Image.fromarray(levels, "P")
            picture.putpalette(_palette(self.signed, dark))
            picture.save(buffer, "PNG", transparency=NOTHING)
        return buffer.getvalue()

    def facts(self) -> dict[str, Any]:
        """Where the tiles are in the picture, what its colours mean, and what the values are like."""
        height, width = self.shown.shape[-2:]
        return {
            "tile": [height, width],
            "zoom": self.zoom,
            "gap": self.gap,
            "columns": self.columns,
            "first": self.first,
            "shown": len(self.shown),
            "count": len(self.tiles.values),
            "page": self.number,
            "pages": self.pages,
            "per_row": self.tiles.columns,
            "row": self.tiles.row,
            "column": self.tiles.column,
            "colour": self.tiles.colour,
            "padded": self.tiles.padded,
            "signed": self.signed,
            "low": self.range.black,
            "high": self.range.white,
        }

    def value(self, tile: int) -> Values:
        """The values of one tile, counted over all pages, by row; null beyond a vector's end.  DataError for
        a tile that there is not."""
        if not 0 <= tile < len(self.tiles.values):
            raise DataError(f"tile {tile}; expected 0 to {len(self.tiles.values) - 1}")
        return numbers(self.tiles.values[tile])


def _range(tiles: Tiles) -> GreyRange:
    values = tiles.values
    return range_of(values.reshape(-1)[: values.size - tiles.padded])


def _palette(signed: bool, dark: bool) -> bytes:
    share = np.arange(LAST + 1)[:, None] / LAST
    if signed:
        middle = np.array(MIDDLE[dark])
        down, up = (middle + (np.array(end) - middle) * abs(2 * share - 1) for end in (NEGATIVE, POSITIVE))
        shades = np.where(share < 0.5, down, up)
    else:
        shades = np.repeat(share * 255, 3, axis=1)
    table = np.zeros((256, 3), np.uint8)
    table[: LAST + 1] = np.rint(shades)
    table[NOT_FINITE], table[LINE] = WRONG, LINES[dark]
    return table.tobytes()


def numbers(values: np.ndarray) -> Values:
    """Lists of numbers that are exactly the values, in the fewest digits; what is not finite is null."""
    if values.ndim > 1:
        return [numbers(part) for part in values]
    return [float(str(v)) if math.isfinite(v) else None for v in values]


def statistics(values: np.ndarray) -> dict[str, Any]:
    """What values are like: extremes, mean, deviation, norm, how many are 0 or not finite, and a
    histogram."""
    flat = values.reshape(-1).astype(np.float64)
    finite = flat[np.isfinite(flat)]
    said: dict[str, Any] = {"count": flat.size, "not_finite": int(flat.size - finite.size)}
    if not finite.size:
        return said
    low, high = float(finite.min()), float(finite.max())
    apart = max(1e-12, 1e-6 * max(abs(low), abs(high)))
    ends = (low, high) if high - low > apart else (low - apart, high + apart)
    counts, edges = np.histogram(finite, BINS, ends)
    return said | {
        "min": low,
        "max": high,
        "mean": float(finite.mean()),
        "deviation": float(finite.std()),
        "norm": float(np.sqrt(finite @ finite)),
        "zeros": int((finite == 0).sum()),
        "histogram": {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()},
    }
