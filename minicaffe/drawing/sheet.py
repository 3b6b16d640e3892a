"""Images in rows and columns, with words beside them, as a PNG file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ShapeError
from .theme import LIGHT, Theme

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = (
    84,
    224,
)  # pixels: small images are enlarged to about the first, large ones made smaller to the second
GAP, MARGIN = 6, 14  # pixels between images, and around all
SIZE = 13  # of letters, in pixels


def sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], heads: Sequence[str] = (), theme: Theme = LIGHT
) -> bytes:
    """A PNG file: for every row its words and its images (C, H, W), grey or blue, green and red, of values
    from 0 to 255; `heads` stand above the columns.

    All images of a column share a size; those of one pixel for one pixel are enlarged by whole factors.
    Raises ShapeError for images of another number of channels.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = max((len(images) for _, images in rows), default=0)
    font = ImageFont.load_default(SIZE)
    shown = [[picture(image) for image in images] for _, images in rows]
    sides = [_side([row[k] for row in shown if k < len(row)]) for k in range(columns)]
    shown = [[_fitted(image, side) for image, side in zip(row, sides)] for row in shown]
    words = max((font.getlength(text) for text, _ in rows), default=0)
    widths = [max(side, int(font.getlength(head))) for side, head in zip(sides, [*heads, *[""] * columns])]
    heights = [max((image.height for image in row), default=SIZE) for row in shown]
    first_x = MARGIN + (int(words) + 2 * GAP if words else 0)
    first_y = MARGIN + (SIZE + 2 * GAP if any(heads) else 0)
    lefts = [first_x + sum(widths[:k]) + k * GAP for k in range(columns + 1)]
    tops = [first_y + sum(heights[:k]) + k * GAP for k in range(len(rows) + 1)]
    page = Image.new("RGB", (lefts[-1] - GAP + MARGIN, tops[-1] - GAP + MARGIN), theme.ground)
    pen = ImageDraw.Draw(page)
    for head, left, width in zip(heads, lefts, widths):
        pen.text((left + width / 2, MARGIN), head, theme.faint, font, "ma")
    for (text, _), row, top, height in zip(rows, shown, tops, heights):
        pen.text((MARGIN, top + height / 2), text, theme.ink, font, "lm")
        for image, left, width in zip(row, lefts, widths):
            x, y = left + (width - image.width) // 2, top + (height - image.height) // 2
            pen.rectangle((x - 1, y - 1, x + image.width, y + image.height), outline=theme.link)
            page.paste(image, (x, y))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def picture(image: np.ndarray) -> Image:
    """Pixels (C, H, W) as Pillow has them, rounded and held within 0 and 255."""
    from PIL import Image

    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if len(pixels) not in (1, 3):
        raise ShapeError(f"an image of {len(pixels)} channels cannot be shown", hint="1 or 3 can")
    return Image.fromarray(
        pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    )


def _side(images: Sequence[Image]) -> int:
    """The side of a square that the images of a column are shown in."""
    least, most = CELL
    largest = max(max(image.size) for image in images)
    return min(most, largest * max(1, -(-least // largest)))


def _fitted(image: Image, side: int) -> Image:
    """Enlarged by a whole factor, pixel by pixel, or made smaller, so that it fits into a square."""
    from PIL.Image import Resampling

    largest = max(image.size)
    factor = side / largest if largest > side else side // largest
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Resampling.NEAREST if factor >= 1 else Resampling.LANCZOS)
