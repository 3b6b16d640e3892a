"""Many images as one PNG of equal cells, in rows: a page of a grid in one request."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.detection.boxes import Boxes
from ..drawing.boxes import outlined
from ..drawing.sheet import picture

if TYPE_CHECKING:
    from PIL.Image import Image

CELL_PX = 96  # the largest side of an image in a cell; smaller ones keep their size
COLUMNS = 10


class Shown(NamedTuple):
    """An image (C, H, W), the value that is white in it, and the objects whose boxes are drawn."""

    image: np.ndarray
    white: float = 255.0
    boxes: Boxes | None = None


def sprite(images: Sequence[Shown], columns: int = COLUMNS, cell_px: int = CELL_PX) -> bytes:
    """A PNG of `columns` cells a row, all of them as wide and as high as the widest and the highest image,
    which lie in the middle of theirs; what they leave free is transparent.  An image larger than a cell is
    made smaller; none is enlarged."""
    from PIL import Image as pillow

    cells = [_fitted(shown, cell_px) for shown in images]
    width = max((cell.width for cell in cells), default=1)
    height = max((cell.height for cell in cells), default=1)
    filled = {cell.size for cell in cells} == {(width, height)} and len(cells) % columns == 0
    mode = "L" if all(cell.mode == "L" for cell in cells) else "RGB"
    rows = max(1, -(-len(cells) // columns))
    page = pillow.new(
        mode if filled else {"L": "LA", "RGB": "RGBA"}[mode], (columns * width, rows * height)
    )  # all zeros: transparent, where there is an alpha
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        at = (column * width + (width - cell.width) // 2, row * height + (height - cell.height) // 2)
        page.paste(cell.convert(page.mode), at)
    return _png(page)


def whole(shown: Shown) -> bytes:
    """One image as it is, a pixel for a pixel."""
    return _png(picture(as_bytes(shown)))


def as_bytes(shown: Shown) -> np.ndarray:
    """The image as bytes of one channel or of blue, green and red."""
    image = (
        shown.image[:3] if len(shown.image) > 3 else shown.image[:1] if len(shown.image) == 2 else shown.image
    )
    if image.dtype == np.uint8 and shown.white == 255:
        return image
    return np.clip(np.rint(image.astype(np.float32) * (255 / shown.white)), 0, 255).astype(np.uint8)


def _fitted(shown: Shown, cell_px: int) -> Image:
    from PIL.Image import Resampling

    found = picture(as_bytes(shown))
    if max(found.size) > cell_px:
        factor = cell_px / max(found.size)
        size = (max(1, round(found.width * factor)), max(1, round(found.height * factor)))
        found = found.resize(size, Resampling.LANCZOS)
    if shown.boxes is None or not len(shown.boxes.labels):
        return found
    small = np.asarray(found.convert("RGB")).transpose(2, 0, 1)[::-1]
    return picture(outlined(small, shown.boxes.corners, shown.boxes.labels))


def _png(page: Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG", compress_level=3)
    return out.getvalue()
