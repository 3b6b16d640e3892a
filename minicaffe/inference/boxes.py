"""An image with what was found in it: boxes with labels, drawn by Pillow."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

import numpy as np

from ..drawing.png import font
from ..printable import printable
from .detector import Thing
from .palette import voc

LINE = 150  # the shorter side of an image over this is how wide lines are, in pixels
LETTERS = 30  # and over this how high letters are
LEAST_PX = 11  # letters that can be read
DARK = 140  # of a colour's brightness, above which dark letters are read on it


def picture(pixels: np.ndarray) -> np.ndarray:
    """An image (C, H, W), blue first, as (H, W, 3), red first."""
    return np.repeat(pixels, 3 // len(pixels), axis=0)[::-1].transpose(1, 2, 0)


def drawn(pixels: np.ndarray, things: Iterable[Thing]) -> bytes:
    """A PNG of an image (C, H, W) and its things, the highest scores on top."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(picture(pixels)))
    pen, side = ImageDraw.Draw(image), min(image.size)
    line, height = max(1, side // LINE), max(LEAST_PX, side // LETTERS)
    colours = voc()
    for thing in reversed(list(things)):
        ground = tuple(int(c) for c in colours[thing.number % len(colours)])
        xmin, ymin, xmax, ymax = (round(end) for end in thing.box)
        right, lower = max(xmin, xmax - 1), max(ymin, ymax - 1)
        # Between two dark lines a colour is seen on any ground.
        pen.rectangle((xmin - 1, ymin - 1, right + 1, lower + 1), outline="black", width=line + 2)
        pen.rectangle((xmin, ymin, right, lower), outline=ground, width=line)
        text = f"{printable(thing.label)} {thing.score:.2f}"
        letters = font(height, text.isascii())
        room = pen.textbbox((0, 0), text, letters)
        wide, high = math.ceil(room[2]) + 5, math.ceil(room[3]) + 5
        x = max(0, min(xmin, image.width - 1 - wide))
        y = ymin - high if ymin >= high else min(ymin, image.height - 1 - high)
        pen.rectangle((x, y, x + wide, y + high), fill=ground, outline="black")
        dark = np.dot(ground, (0.299, 0.587, 0.114)) > DARK
        pen.text((x + 3, y + 2), text, "black" if dark else "white", letters)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
