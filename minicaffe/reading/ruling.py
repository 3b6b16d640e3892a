"""Ruled and squared paper: at what angle its lines lie, and the ink without them.

A line of the paper is thin, straight, and goes on for much longer than any stroke, so a mean along it keeps it
and wears writing down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .threshold import ink_level

COARSE_PX = 500  # longer side of the picture in which the angle is looked for
STEEPEST = 12.0  # degrees that paper is turned at most
CLEAR = 8.0  # times the sharpness at other angles that lines of the paper have at theirs
ALONG = 1 / 6  # of a side: how long a line is at least
THICKEST = 1 / 60  # of the shorter side
FAINTEST = 0.02  # ink of a line
NEAR_PX = 9  # pixels along a line that are looked at together
COVERED = 0.75  # of its length a line has ink


class Ruling(NamedTuple):
    """How the lines of a paper lie.

    degrees   by which the picture must be turned, anticlockwise, for them to be level and upright
    level     whether there are lines from left to right
    upright   whether there are lines from top to bottom
    """

    degrees: float
    level: bool
    upright: bool


def ruling(ink: np.ndarray, noise: float) -> Ruling | None:
    """How the lines of the paper lie; None if it has none."""
    from PIL import Image

    height, width = ink.shape
    factor = max(1.0, max(ink.shape) / COARSE_PX)
    capped = np.minimum(ink, max(0.2, 3 * noise))  # writing is darker, and must not count for more
    picture = Image.fromarray(capped).resize(
        (max(1, round(width / factor)), max(1, round(height / factor))), Image.Resampling.BOX
    )
    coarse = np.arange(-STEEPEST, STEEPEST + 0.01, 0.5)
    sharpness = np.array([_sharpness(picture, degrees) for degrees in coarse])  # (angles, 2)
    best = float(coarse[sharpness.sum(axis=1).argmax()])
    fine = np.arange(best - 0.5, best + 0.51, 0.1)
    finer = np.array([_sharpness(picture, degrees) for degrees in fine])
    degrees = float(fine[finer.sum(axis=1).argmax()])
    level, upright = finer.max(axis=0) > CLEAR * np.median(sharpness, axis=0)
    return Ruling(degrees, bool(level), bool(upright)) if level or upright else None


def _sharpness(picture, degrees: float) -> tuple[float, float]:
    """How much the means of rows, and those of columns, jump, once the picture is turned."""
    from PIL import Image
    from scipy import ndimage

    turned = np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR))
    height, width = turned.shape
    middle = turned[height // 8 : height - height // 8, width // 8 : width - width // 8]
    profiles = (middle.mean(axis=axis) for axis in (1, 0))
    rows, columns = (float(np.square(p - ndimage.uniform_filter1d(p, 7)).mean()) for p in profiles)
    return rows, columns


def without_lines(
    ink: np.ndarray, noise: float, level: bool = True, upright: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The ink without `level` or `upright` lines of the paper, or both, strokes that cross them whole, and where the lines
    were, both (H, W)."""
    none = np.zeros(ink.shape, bool)
    across = _lines(ink, noise) if level else none
    down = _lines(ink.T, noise).T if upright else none
    lines = across | down
    if not lines.any():
        return ink, lines
    pen = ink_level(np.where(lines, 0, ink), noise)
    ruled = float(np.median(ink[lines]))
    written = ink > pen / 2
    kept = np.zeros_like(lines)
    for mask, as_level in ((across, across), (down, down.T)):
        if mask.any():
            kept |= mask & _crossed(written & ~lines, _thickness(as_level))
    if pen > 1.6 * ruled:  # the pen is darker than the lines: what is dark on them is the pen's
        kept |= ink > (pen + ruled) / 2
        kept &= ink > ruled + (pen - ruled) * 0.3
    return np.where(lines & ~kept, 0, ink).astype(np.float32), lines


def _lines(ink: np.ndarray, noise: float) -> np.ndarray:
    """Where level lines are, (H, W) bool."""
    from scipy import ndimage

    _height, width = ink.shape
    along = max(24, round(width * ALONG))
    thickest = max(3, round(min(ink.shape) * THICKEST)) | 1
    capped = np.minimum(ink, 0.35)
    mean = ndimage.uniform_filter1d(capped, along, axis=1, mode="reflect")
    ridge = _ridge(mean, thickest)
    least = max(FAINTEST, 5 * noise / along**0.5)
    strongest = ndimage.maximum_filter1d(ridge, 2 * thickest + 1, axis=0, mode="reflect")
    marked = (ridge > least) & (ridge > strongest / 2)
    if not marked.any():
        return marked
    # Ink all along, rather than much in a few places as where digits stand in a row
    near = ndimage.uniform_filter1d(capped, NEAR_PX, axis=1, mode="reflect")
    inked = _ridge(near, thickest) > np.maximum(strongest / 2, FAINTEST)
    inked = ndimage.maximum_filter1d(inked, 3, axis=0, mode="constant")
    covered = ndimage.uniform_filter1d(inked.astype(np.float32), along, axis=1, mode="reflect") > COVERED
    lines = marked & covered
    lines = ndimage.maximum_filter1d(lines, along, axis=1) & inked
    return ndimage.maximum_filter1d(lines, 3, axis=0, mode="constant")


def _ridge(picture: np.ndarray, thickest: int) -> np.ndarray:
    """How much each pixel of a level line of at most `thickest` rows stands out: a white top-hat."""
    from scipy import ndimage

    window = 2 * thickest + 1
    below = ndimage.minimum_filter1d(picture, window, axis=0, mode="reflect")
    return picture - ndimage.maximum_filter1d(below, window, axis=0, mode="reflect")


def _thickness(level: np.ndarray) -> int:
    """Of level lines, in pixels."""
    runs = np.diff(np.pad(level.T.astype(np.int8), ((0, 0), (1, 1))).ravel())
    starts, ends = np.flatnonzero(runs > 0), np.flatnonzero(runs < 0)
    return max(1, int(np.median(ends - starts))) if len(starts) else 1


def _crossed(strokes: np.ndarray, thickness: int) -> np.ndarray:
    """`strokes` with gaps of `thickness` filled where a stroke goes on, straight or slanted, on the far side."""
    from scipy import ndimage

    length = thickness + 4
    filled = strokes.copy()
    eye = np.eye(length, dtype=bool)
    for element in (np.ones((length, 1), bool), np.ones((1, length), bool), eye, eye[::-1]):
        filled |= ndimage.binary_closing(strokes, element)
    return filled
