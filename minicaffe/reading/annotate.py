"""Pictures of a reading: the photo with every character framed, and the steps that led there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from .page import Character, Page

SURE, UNSURE = (0, 140, 60), (215, 0, 30)  # colours
LARGEST_PX = 2000  # longer side
TILE = 56  # pixels of a glyph in the sheet
COLUMNS = 20


def annotated(colour: np.ndarray, page: Page) -> np.ndarray:
    """The photo, (H, W, 3) uint8, with a frame around every character and what it was read as: green, or red
    if that is uncertain."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(colour)
    scale = min(1.0, LARGEST_PX / max(page.size))
    size = (max(1, round(page.size[0] * scale)), max(1, round(page.size[1] * scale)))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BOX)
    draw = ImageDraw.Draw(picture)
    for character in page.characters:
        points = [(x * scale, y * scale) for x, y in character.outline]
        height = max(abs(points[3][1] - points[0][1]), abs(points[1][0] - points[0][0]))
        line = max(1, round(height / 25))
        ink = SURE if character.sure else UNSURE
        draw.line([*points, points[0]], fill=ink, width=line, joint="curve")
        text = _plain(character.text)
        words = text if character.sure else f"{text} {character.certainty:.0%}"
        draw.text(
            (points[0][0], points[0][1] - line),
            words,
            fill=ink,
            font=_font(min(max(11, height * 0.4), 40)),
            anchor="ls",
            stroke_width=1 + round(height / 60),
            stroke_fill=(255, 255, 255),
        )
    return np.asarray(picture)


def sheet(glyphs: Sequence[np.ndarray], characters: Sequence[Character]) -> np.ndarray:
    """What the net saw of every character, each over what it said."""
    from PIL import Image, ImageDraw

    rows = max(1, -(-len(glyphs) // COLUMNS))
    columns = max(1, min(COLUMNS, len(glyphs)))
    picture = Image.new("RGB", (columns * (TILE + 4), rows * (TILE + 20)), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for n, (glyph, character) in enumerate(zip(glyphs, characters)):
        x, y = n % COLUMNS * (TILE + 4) + 2, n // COLUMNS * (TILE + 20) + 2
        tile = Image.fromarray((glyph * 255).astype(np.uint8)).resize((TILE, TILE), Image.Resampling.NEAREST)
        picture.paste(tile, (x, y))
        ink = SURE if character.sure else UNSURE
        draw.text((x, y + TILE + 1), f"{_plain(character.text)} {character.certainty:.3f}", ink, _font(13))
    return np.asarray(picture)


def png(picture: np.ndarray) -> bytes:
    """The file of a picture: (H, W, 3) uint8, or (H, W) from 0 to 1 how much ink there is, shown dark on
    white."""
    from PIL import Image

    if picture.ndim == 2:
        picture = ((1 - picture) * 255 + 0.5).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _plain(text: str) -> str:
    """With what Pillow's font has."""
    return text.replace("×", "x").replace("÷", ":")


def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
