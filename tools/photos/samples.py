"""Glyphs to train a reader on: digits, symbols and what is neither, as they come out of photos.

Each is its ink, (H, W) from 0 to 1, and the width of its strokes in pixels: what
`minicaffe.reading.glyphs.normalised` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from . import strokes
from .glyphs import STROKE, broken, cut
from .surfaces import clouds

ENLARGED = 2.0  # pixels of a glyph for each of MNIST's
HEIGHT_PX = 20 * ENLARGED
LETTERS = "AEFHKMNRWaekmw!&%#@"  # those that hardly anybody takes for a digit or symbol


class Glyph(NamedTuple):
    ink: np.ndarray
    stroke_px: float


def _measured(ink: np.ndarray) -> Glyph:
    written = ink > 0.5
    distance = ndimage.distance_transform_edt(written)
    return Glyph(ink, 4 * float(distance[written].mean()) if written.any() else 1.0)


def plain(image: np.ndarray) -> Glyph:
    """A digit of MNIST as it is."""
    return _measured(image.astype(np.float32) / 255)


def digit(rng: np.random.Generator, image: np.ndarray, others: Callable[[], np.ndarray]) -> Glyph:
    """A digit, (28, 28) uint8, turned and slanted a little, with a pen of another width; now and then broken,
    cut off at one side, or with a remnant of its neighbour or of a line on the paper."""
    ink = _written(rng, image)
    if rng.random() < 0.06:
        ink = broken(rng, ink, rng.uniform(2, 5))
    if rng.random() < 0.08:
        ink = _bitten(rng, cut(ink))
    if rng.random() < 0.06:
        ink = _beside(rng, ink, others())
    if rng.random() < 0.06:
        ink = _ruled(rng, ink)
    return _measured(_worn(rng, ink))


def symbol(rng: np.random.Generator, name: str) -> Glyph:
    """One of `strokes.SYMBOLS`."""
    width = STROKE * rng.uniform(0.5, 1.45)
    ink, _ = strokes.ink(_slanted(rng, strokes.symbol(rng, name, width)), HEIGHT_PX * rng.uniform(0.8, 1.6))
    if rng.random() < 0.5:
        ink = ndimage.gaussian_filter(ink, rng.uniform(0.4, 1.0))
    if rng.random() < 0.05:
        ink = _bitten(rng, cut(ink))
    if rng.random() < 0.05:
        ink = _ruled(rng, ink)
    return _measured(_worn(rng, ink))


def reject(rng: np.random.Generator, pick: Callable[[], tuple[np.ndarray, int]]) -> Glyph:
    """What is no character: several at once, a part of one, dots, scrawls, remnants of the paper's lines.

    pick  gives an image of a digit and its label
    """
    kinds = [_several, _part, _dots, _scrawl, _remnant, _letter, _smear]
    ink = kinds[rng.choice(len(kinds), p=[0.45, 0.12, 0.1, 0.06, 0.15, 0.06, 0.06])](rng, pick)
    return _measured(_worn(rng, ink))


def _written(rng: np.random.Generator, image: np.ndarray, side: int = 68) -> np.ndarray:
    angle = np.deg2rad(np.clip(rng.normal(0, 6), -15, 15))
    slant, stretch = np.clip(rng.normal(0, 0.12), -0.3, 0.3), np.exp(rng.normal(0, 0.09))
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.array([[c, -s], [s, c]]) @ np.array([[1, 0], [slant, 1 / stretch]]) / ENLARGED
    centre = np.array([13.5, 13.5]) - matrix @ np.full(2, (side - 1) / 2)
    large = ndimage.affine_transform(image.astype(np.float32) / 255, matrix, centre, (side, side), order=1)
    large = ndimage.gaussian_filter(large, rng.uniform(0.6, 1.1))
    level = rng.uniform(0.22, 0.6)
    ink = np.clip((large - level) * rng.uniform(2.5, 7) + 0.5, 0, 1)
    if not (ink > 0.5).any():  # a pen too thin for this one
        ink = np.clip((large - 0.2) * 4 + 0.5, 0, 1)
    return cut(ink)


def _worn(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    if rng.random() < 0.4:
        ink = ink * np.clip(1 - rng.uniform(0, 0.3) * np.abs(clouds(rng, ink.shape, rng.uniform(2, 9))), 0, 1)
    if rng.random() < 0.2:
        ink = ndimage.gaussian_filter(ink, rng.uniform(0.4, 1.0))
    return np.clip(ink, 0, 1).astype(np.float32)


def _slanted(rng: np.random.Generator, shape: list[strokes.Stroke]) -> list[strokes.Stroke]:
    matrix = np.eye(2) + rng.normal(0, 0.06, (2, 2))
    return [strokes.Stroke(s.points @ matrix, s.width) for s in shape]


def _bitten(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Without the outermost pixels of one side."""
    turns = int(rng.integers(4))
    ink = np.rot90(ink, turns)
    depth = int(rng.integers(1, 1 + max(1, round(0.1 * ink.shape[1]))))
    return np.ascontiguousarray(np.rot90(ink[:, depth:], -turns))


def _beside(rng: np.random.Generator, ink: np.ndarray, other: np.ndarray) -> np.ndarray:
    """With the nearest edge of a neighbour at its left or right."""
    neighbour = _written(rng, other)[:, : int(rng.integers(2, 6))]
    height = max(len(ink), len(neighbour))
    ink, neighbour = (np.pad(a, ((height - len(a), 0), (0, 0))) for a in (ink, neighbour))
    gap = np.zeros((height, int(rng.integers(1, 4))), np.float32)
    parts = [ink, gap, neighbour]
    return np.concatenate(parts if rng.random() < 0.5 else [neighbour[:, ::-1], gap, ink], axis=1)


def _ruled(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """With what removing a line of the paper leaves: a gap across, or a stub of the line at a stroke."""
    turned = rng.random() < 0.5
    ink = (ink.T if turned else ink).copy()
    at, width = int(rng.integers(1, max(2, len(ink) - 2))), int(rng.integers(1, 3))
    if rng.random() < 0.5:
        ink[at : at + width] *= rng.uniform(0, 0.6)
    else:
        start = int(rng.integers(0, ink.shape[1]))
        ink[at : at + width, start : start + int(rng.integers(3, 12))] = rng.uniform(0.4, 1.0)
    return ink.T if turned else ink


Pick = Callable[[], tuple[np.ndarray, int]]


def _several(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    """Two digits that touch or nearly do, a digit and a part of another, or a digit and a symbol."""
    parts = [_written(rng, pick()[0]) for _ in range(2 if rng.random() < 0.9 else 3)]
    if rng.random() < 0.2:
        parts[-1], _ = strokes.ink(strokes.symbol(rng, str(rng.choice(list("+-×="))), STROKE), HEIGHT_PX, 0)
    elif rng.random() < 0.3:  # enough of the second to be no remnant
        share = rng.uniform(0.4, 0.8)
        parts[1] = parts[1][:, : max(6, int(share * parts[1].shape[1]))]
    if rng.random() < 0.5:
        parts.reverse()
    gaps = rng.integers(-4, 8, len(parts) - 1)
    height = max(len(p) for p in parts) + 8
    width = sum(p.shape[1] for p in parts) + int(np.clip(gaps, 0, None).sum()) + 2
    out, x = np.zeros((height, width), np.float32), 0
    for part, gap in zip(parts, [*gaps.tolist(), 0]):
        top = int(np.clip((height - len(part)) // 2 + rng.integers(-4, 5), 0, height - len(part)))
        place = out[top : top + len(part), x : x + part.shape[1]]
        np.maximum(place, part[:, : place.shape[1]], out=place)
        x = max(0, x + part.shape[1] + gap)
    return cut(out)


# Sides of digits that are no other digit, nor nearly: the right of a 4 is a 1, the top of an 8 is a 0.
SIDES = {
    "left": (0, 2, 5),
    "right": (0, 5),
    "top": (0,),
    "bottom": (0, 3, 5),
}


def _part(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    """Some half of a digit."""
    side = str(rng.choice(list(SIDES), p=[0.35, 0.35, 0.15, 0.15]))
    for _ in range(100):
        image, label = pick()
        if label in SIDES[side]:
            break
    ink = _written(rng, image)
    if side in ("top", "bottom"):
        at = int(len(ink) * rng.uniform(0.35, 0.6))
        return cut(ink[:at] if side == "top" else ink[-at:])
    share = rng.uniform(0.35, 0.5)
    lean, at = rng.uniform(-0.25, 0.25), ink.shape[1] * (share if side == "left" else 1 - share)
    edge = at + lean * (np.arange(len(ink)) - len(ink) / 2)
    left = np.arange(ink.shape[1]) < edge[:, None]
    return cut(np.where(left if side == "left" else ~left, ink, 0))


def _dots(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    """One to three blots, or a comma."""
    shape = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))):
        at = rng.uniform(-0.25, 0.25, 2)
        size = rng.uniform(0.08, 0.25)
        shape.append(strokes.Stroke(np.array([at, at + rng.normal(0, 0.2 * size, 2)]), size))
    return strokes.ink(shape, HEIGHT_PX * rng.uniform(0.6, 2))[0]


def _scrawl(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    width = STROKE * rng.uniform(0.4, 1.4)
    shape = strokes.scribble(rng, width) + strokes.scribble(rng, width)
    return strokes.ink(shape, HEIGHT_PX * rng.uniform(0.8, 1.6))[0]


def _remnant(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    """Corners, crossings and pieces of ruled lines, and of a table's; an upright or level line alone may be
    a 1 or a minus, so it is not among them."""
    width = rng.uniform(0.02, 0.12)

    def ruled(x0: float, y0: float, x1: float, y1: float) -> strokes.Stroke:
        return strokes.line(rng, (x0, y0), (x1, y1), width, 0.004)

    form = rng.choice(["corner", "tee", "grid", "box", "far cross", "dashes"])
    a, b = rng.uniform(0.3, 1.0, 2)
    if form == "corner":
        shape = [ruled(0, 0, a, 0), ruled(0, 0, 0, b)]
    elif form == "tee":
        shape = [ruled(-a / 2, 0, a / 2, 0), ruled(0, 0, 0, b)]
    elif form == "grid":
        shape = [ruled(-a, y, a, y) for y in (0, rng.uniform(0.25, 0.6))]
        shape += [ruled(x, -0.3, x, b) for x in (-0.4 * a, rng.uniform(0, 0.5))]
    elif form == "box":
        shape = [ruled(0, 0, a, 0), ruled(a, 0, a, b), ruled(a, b, 0, b), ruled(0, b, 0, 0)]
    elif form == "far cross":  # longer one way than any plus
        shape = [ruled(-a - 0.6, 0, a, 0), ruled(-0.3, -0.1, -0.3, rng.uniform(0.15, 0.3))]
    else:
        shape = [ruled(x, 0, x + rng.uniform(0.05, 0.3), 0) for x in np.arange(0, rng.uniform(0.9, 2.0), 0.4)]
    turned = np.deg2rad(rng.normal(0, 5) + (90 * rng.integers(4) if form in ("corner", "tee") else 0))
    c, s = np.cos(turned), np.sin(turned)
    turn = np.array([[c, s], [-s, c]])
    return strokes.ink([strokes.Stroke(p.points @ turn, p.width) for p in shape], HEIGHT_PX)[0]


def _letter(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    size = int(rng.integers(30, 50))
    picture = Image.new("L", (2 * size, 2 * size))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(picture).text((size // 3, size // 4), str(rng.choice(list(LETTERS))), 255, font)
    small = np.asarray(picture.resize((28, 28), Image.Resampling.BOX)).astype(np.float32)
    return _written(rng, np.clip(small * 1.6, 0, 255))


def _smear(rng: np.random.Generator, pick: Pick) -> np.ndarray:
    """Islands of thresholded noise, as texture leaves them."""
    while True:
        noise = clouds(rng, (48, 48), rng.uniform(4, 16), rng.uniform(0.5, 2.0))
        labels, _ = ndimage.label(noise > rng.uniform(0.2, 1.0))
        label = labels[tuple(rng.integers(8, 40, 2))]
        ink = cut(ndimage.gaussian_filter((labels == label).astype(np.float32), 0.7))
        if label and 0.6 < ink.shape[1] / ink.shape[0] < 1.6:  # what is longer may be a 1 or a minus
            return ink
