"""Arrays as pictures: images in a grid, values as bars, histograms; with captions, drawn by Pillow."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..drawing.png import font
from ..printable import printable

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_PX, HEIGHT_PX = 1100, 1500  # that a picture should not exceed, captions aside
TILE_PX = 96  # the largest side of a small image
LARGE_PX = 480  # the shorter side of an image that stands alone
MOST_TILES = 4096
GROUND, GRID, INK, FAINT, BAR = "#ffffff", "#5b7fa6", "#1c2733", "#66727f", "#2f6db3"
MARGIN_PX, SMALL_PX, TITLE_PX = 14, 13, 17
BINS = 80
MOST_BARS = 256
OUTLIER = 3.0  # a range is cut to what holds all but 1 in 1000 values if those reach out so many times as far


class GreyRange(NamedTuple):
    """The values that are drawn black and white; `caption` says so."""

    black: float
    white: float
    caption: str

    def grey(self, values: np.ndarray) -> np.ndarray:
        """Bytes of values, what is not a number as black."""
        width = self.white - self.black or 1.0
        share = (np.nan_to_num(values.astype(np.float64), nan=self.black) - self.black) / width
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def range_of(values: np.ndarray) -> GreyRange:
    """From 0 to the largest value, or, if some are negative, as far to either side of 0, which is then grey;
    without few values that are far out."""
    found = values[np.isfinite(values)]
    if not found.size:
        return GreyRange(0.0, 1.0, "no finite value")
    low, high = float(found.min()), float(found.max())
    reach = max(abs(low), abs(high))
    most = float(np.quantile(np.abs(found), 0.999))
    cut = 0 < most * OUTLIER < reach
    reach = most if cut else reach
    said = f"min {low:.4g}, max {high:.4g}"
    end = f"{reach:.4g}{' and beyond' if cut else ''}"
    if low >= 0:
        return GreyRange(0.0, reach, f"{said}: black 0, white {end}")
    return GreyRange(-reach, reach, f"{said}: black -{end}, grey 0, white {end}")


def grid(tiles: np.ndarray, columns: int | None, title: str, lines: Sequence[str], what: str) -> bytes:
    """A PNG of small images, on one scale.

    tiles    (N, H, W), or (N, 3, H, W) in blue, green, red
    columns  how many in a row; as many as make the picture a little wider than high if left out
    lines    of the caption below the title; a line about the range follows
    what     a tile is called, for the caption: "filters"
    """
    from PIL import Image, ImageDraw

    shades = range_of(tiles)
    height, width = tiles.shape[-2:]
    total = len(tiles)
    given = columns is not None  # then rows are numbered, otherwise tiles
    if columns is None:
        columns = _columns(total, math.sqrt(1.4 * total * height / width))
    rows = math.ceil(total / columns)
    most_rows = max(1, MOST_TILES // columns)
    notes = [shades.caption]
    if rows > most_rows:
        rows, tiles = most_rows, tiles[: most_rows * columns]
        notes.append(f"the first {len(tiles):,} of {total:,} {what}")
    zoom = LARGE_PX / min(height, width) if total == 1 else TILE_PX / max(height, width)
    zoom = min(zoom, WIDTH_PX / (columns * width), HEIGHT_PX / (rows * height))
    zoom = max(1, math.floor(zoom))
    line = 1 if zoom * max(height, width) < 40 else 2
    step_x, step_y = width * zoom + line, height * zoom + line
    picture = Image.new("RGB", (columns * step_x + line, rows * step_y + line), GROUND)
    pen = ImageDraw.Draw(picture)
    for i, tile in enumerate(shades.grey(tiles)):
        x, y = line + i % columns * step_x, line + i // columns * step_y
        pen.rectangle((x - line, y - line, x + step_x - 1, y + step_y - 1), fill=GRID)
        pixels = tile[::-1].transpose(1, 2, 0) if tile.ndim == 3 else tile
        small = Image.fromarray(np.ascontiguousarray(pixels))
        picture.paste(small.resize((width * zoom, height * zoom), Image.Resampling.NEAREST), (x, y))
    numbers = (
        [(line + r * step_y, str(r if given else r * columns)) for r in range(rows)] if total > 1 else []
    )
    if step_y < SMALL_PX:  # no room for all
        numbers = numbers[:: math.ceil(SMALL_PX / step_y)]
    return _page(title, [*lines, *notes], picture, numbers)


def _columns(total: int, about: float) -> int:
    """A number of columns near to `about` that leaves the last row as full as can be."""
    about = min(max(about, 1.0), total)
    near = range(max(1, round(0.7 * about)), min(total, round(1.3 * about)) + 1)
    return min(near, key=lambda columns: (-total % columns, abs(columns - about)))


def bars(values: np.ndarray, names: Sequence[str], title: str, lines: Sequence[str]) -> bytes:
    """A PNG of single values as bars, one below the other, each with its name."""
    from PIL import Image, ImageDraw

    shown = values[:MOST_BARS].astype(np.float64)
    notes = [f"the first {MOST_BARS} of {len(values):,}"] if len(values) > MOST_BARS else []
    finite = shown[np.isfinite(shown)]
    low, high = min(0.0, *finite, 0.0), max(0.0, *finite, 0.0)
    span = (high - low) or 1.0
    letters = font(SMALL_PX, all(name.isascii() for name in names))
    texts = [printable(name) for name in names[: len(shown)]]
    left = 8 + max((math.ceil(letters.getlength(text)) for text in texts), default=0)
    long, right, step = 620, 90, SMALL_PX + 7
    picture = Image.new("RGB", (left + long + right, max(1, len(shown)) * step), GROUND)
    pen = ImageDraw.Draw(picture)
    zero = left + -low / span * long
    for i, (value, text) in enumerate(zip(shown, texts)):
        y = i * step
        pen.text((left - 8, y + step // 2), text, INK, letters, "rm")
        if math.isfinite(value):
            ends = sorted((zero, zero + value / span * long))
            pen.rectangle((ends[0], y + 2, max(ends[1], ends[0] + 1), y + step - 3), fill=BAR)
        place = zero + max(value, 0) / span * long if math.isfinite(value) else zero
        pen.text((place + 6, y + step // 2), f"{value:.4g}", FAINT, letters, "lm")
    pen.line((zero, 0, zero, picture.height), fill=FAINT)
    return _page(title, [*lines, *notes], picture, [])


def histogram(parts: Sequence[tuple[str, np.ndarray]], title: str, lines: Sequence[str]) -> bytes:
    """A PNG with a histogram of each of several arrays, one below the other; parts are names and arrays."""
    from PIL import Image

    drawn = [_histogram(name, values.ravel().astype(np.float64)) for name, values in parts]
    picture = Image.new(
        "RGB",
        (max(d.width for d in drawn), sum(d.height for d in drawn) + MARGIN_PX * (len(drawn) - 1)),
        GROUND,
    )
    y = 0
    for one in drawn:
        picture.paste(one, (0, y))
        y += one.height + MARGIN_PX
    return _page(title, lines, picture, [])


def _histogram(name: str, values: np.ndarray) -> Image:
    from PIL import Image, ImageDraw

    finite = values[np.isfinite(values)]
    letters = font(SMALL_PX)
    head = 2 * (SMALL_PX + 5)
    width, high, below, left = 760, 220, SMALL_PX + 12, 70
    picture = Image.new("RGB", (left + width + 40, head + high + below), GROUND)
    pen = ImageDraw.Draw(picture)
    pen.text((0, 0), f"{name}: {values.size:,} values", INK, letters)
    if not finite.size:
        pen.text((0, SMALL_PX + 5), "no finite value", FAINT, letters)
        return picture
    said = [f"min {finite.min():.4g}", f"mean {finite.mean():.4g}", f"max {finite.max():.4g}"]
    said += [f"standard deviation {finite.std():.4g}", f"{np.mean(finite == 0):.1%} are 0"]
    if finite.size < values.size:
        said.append(f"{values.size - finite.size:,} are not finite")
    pen.text((0, SMALL_PX + 5), ", ".join(said), FAINT, letters)
    counts, edges = np.histogram(finite, min(BINS, finite.size), _ends(finite))
    base, most = head + high - 1, int(counts.max())
    at = left + (edges - edges[0]) / (edges[-1] - edges[0]) * width
    for count, start, end in zip(counts.tolist(), at, at[1:]):
        if count:
            pen.rectangle((start, base - max(1, count / most * (high - 16)), end - 1, base), fill=BAR)
    pen.line((left, base, left + width, base), fill=INK)
    pen.text((left - 8, base - (high - 16)), f"{most:,}", FAINT, letters, "rm")
    pen.text((left - 8, base), "0", FAINT, letters, "rm")
    for value in _ticks(float(edges[0]), float(edges[-1])):
        x = left + (value - edges[0]) / (edges[-1] - edges[0]) * width
        pen.line((x, base, x, base + 4), fill=INK)
        pen.text((x, base + 7), f"{value:g}", FAINT, letters, "mt")
    return picture


def _ends(values: np.ndarray) -> tuple[float, float]:
    """The smallest value and the largest; farther apart if so near that no bins fit between them."""
    low, high = float(values.min()), float(values.max())
    near = 1e-9 * max(abs(low), abs(high))
    apart = max(0.5, near) if high - low <= near else 0.0
    return low - apart, high + apart


def _ticks(low: float, high: float) -> list[float]:
    """About six round numbers between two."""
    rough = (high - low) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [round(i * step, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _page(title: str, lines: Sequence[str], picture: Image, numbers: Sequence[tuple[int, str]]) -> bytes:
    """The picture with its caption above, and numbers of its rows to the left."""
    from PIL import Image, ImageDraw

    texts = [(printable(title), TITLE_PX, INK), *((printable(line), SMALL_PX, FAINT) for line in lines)]
    fonts = [font(size, text.isascii()) for text, size, _ in texts]
    small = font(SMALL_PX)
    left = max([math.ceil(small.getlength(text)) + 6 for _, text in numbers], default=0)
    width = max(
        [math.ceil(f.getlength(text)) for f, (text, _, _) in zip(fonts, texts)] + [left + picture.width]
    )
    top = MARGIN_PX + sum(size + 7 for _, size, _ in texts) + 4
    page = Image.new("RGB", (width + 2 * MARGIN_PX, top + picture.height + MARGIN_PX), GROUND)
    pen = ImageDraw.Draw(page)
    y = MARGIN_PX
    for letters, (text, size, ink) in zip(fonts, texts):
        pen.text((MARGIN_PX, y), text, ink, letters)
        y += size + 7
    page.paste(picture, (MARGIN_PX + left, top))
    for at, text in numbers:
        pen.text((MARGIN_PX + left - 6, top + at), text, FAINT, small, "rt")
    buffer = io.BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
