"""Ruled and squared paper: at what angle its lines lie, and the ink without them.

A line of the paper is thin, straight, and goes on for much longer than any stroke, so a mean along it keeps
it and wears writing down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .threshold import ink_level
from .turning import View, turned

COARSE_PX = 500  # longer side of the picture in which the angle is looked for
STEEPEST = 12.0  # degrees that paper is turned at most
TURNS = np.arange(-0.5, 0.51, 0.1)  # degrees that are tried around the best
CONVERGING = 0.07  # radians by which lines at opposite sides of a photo differ at most
CLEAR = 8.0  # times the sharpness at other angles that lines of the paper have at theirs
ALONG = 1 / 6  # of a side: how long a line is at least
THICKEST = 1 / 140  # of the shorter side
FAINTEST = 0.02  # ink of a line
NEAR_PX = 9  # pixels along a line that are looked at together
LIKE = 0.4  # of the strength of most lines each has
COVERED = 0.75  # of its length a line has ink


class Ruling(NamedTuple):
    """How the lines of a paper lie.

    view      from which they are level and upright
    level     whether there are lines from left to right
    upright   whether there are lines from top to bottom
    """

    view: View
    level: bool
    upright: bool


def ruling(ink: np.ndarray, noise: float) -> Ruling | None:
    """How the lines of the paper lie; None if it has none."""
    from PIL import Image

    height, width = ink.shape
    factor = max(1.0, max(ink.shape) / COARSE_PX)
    capped = np.minimum(ink, max(0.2, 3 * noise))  # writing is darker, and must not count for more
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = np.asarray(Image.fromarray(capped).resize(size, Image.Resampling.BOX))
    views = [View(degrees) for degrees in np.arange(-STEEPEST, STEEPEST + 0.01, 0.5)]
    sharpness = np.array([_sharpness(picture, view) for view in views])  # (angles, 2)
    usual = np.median(sharpness, axis=0)
    view = views[int(sharpness.sum(axis=1).argmax())]
    converging = np.linspace(-CONVERGING, CONVERGING, 13) / max(picture.shape)
    view, level, upright = _best(picture, [view._replace(degrees=view.degrees + d) for d in TURNS])
    if level > CLEAR * usual[0] / 2:
        view, level, _ = _best(picture, [view._replace(kx=k) for k in converging], axis=0)
    if upright > CLEAR * usual[1] / 2:
        view, _, upright = _best(picture, [view._replace(ky=k) for k in converging], axis=1)
    view, level, upright = _best(picture, [view._replace(degrees=view.degrees + d / 3) for d in TURNS])
    found = level > CLEAR * usual[0], upright > CLEAR * usual[1]
    view = View(view.degrees, view.kx / factor, view.ky / factor)
    return Ruling(view, *found) if any(found) else None


def _best(picture: np.ndarray, views: list[View], axis: int | None = None) -> tuple[View, float, float]:
    """The view from which rows (axis 0), columns (1) or both jump most, and how much they do."""
    sharpness = np.array([_sharpness(picture, view) for view in views])
    best = int((sharpness.sum(axis=1) if axis is None else sharpness[:, axis]).argmax())
    return views[best], float(sharpness[best, 0]), float(sharpness[best, 1])


def _sharpness(picture: np.ndarray, view: View) -> tuple[float, float]:
    """How much the means of rows, and those of columns, jump, once the picture is turned."""
    from scipy import ndimage

    seen, _ = turned(picture, view, whole=False)
    height, width = seen.shape
    middle = seen[height // 10 : height - height // 10, width // 10 : width - width // 10]
    profiles = (middle.mean(axis=axis) for axis in (1, 0))
    rows, columns = (float(np.square(p - ndimage.uniform_filter1d(p, 7)).mean()) for p in profiles)
    return rows, columns


def without_lines(
    ink: np.ndarray, noise: float, level: bool = True, upright: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The ink without `level` or `upright` lines of the paper, or both, strokes that cross them whole, and
    where the lines were, both (H, W)."""
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

    along = max(24, round(ink.shape[1] * ALONG))
    thickest = max(3, round(min(ink.shape) * THICKEST)) | 1
    capped = np.minimum(ink, 0.35)
    mean = ndimage.uniform_filter1d(capped, along, axis=1, mode="reflect")
    ridge = _ridge(mean, thickest)
    # Lines of a paper are equally strong, and most columns meet one
    least = max(FAINTEST, noise / 2, LIKE * float(np.median(ridge.max(axis=0))))
    strongest = ndimage.maximum_filter1d(ridge, 2 * thickest + 1, axis=0, mode="reflect")
    marked = (ridge > least) & (ridge > strongest / 2)
    if not marked.any():
        return marked
    # Ink all along, rather than much in a few places as where digits stand in a row
    near = ndimage.uniform_filter1d(capped, NEAR_PX, axis=1, mode="reflect")
    inked = _ridge(near, thickest) > np.maximum(strongest / 2, 2 * noise / NEAR_PX**0.5)
    inked = ndimage.maximum_filter1d(inked, 3, axis=0, mode="constant")
    covered = ndimage.uniform_filter1d(inked.astype(np.float32), along, axis=1, mode="reflect") > COVERED
    lines = marked & covered
    lines = ndimage.maximum_filter1d(lines, along, axis=1) & inked
    return ndimage.maximum_filter1d(lines, 3, axis=0, mode="constant")


def _ridge(picture: np.ndarray, thickest: int) -> np.ndarray:
    """How much each pixel of a level line of at most `thickest` rows stands out: a white top-hat."""
    from scipy import ndimage

    window = thickest + 2
    below = ndimage.minimum_filter1d(picture, window, axis=0, mode="reflect")
    return picture - ndimage.maximum_filter1d(below, window, axis=0, mode="reflect")


def _thickness(level: np.ndarray) -> int:
    """Of level lines, in pixels."""
    runs = np.diff(np.pad(level.T.astype(np.int8), ((0, 0), (1, 1))).ravel())
    starts, ends = np.flatnonzero(runs > 0), np.flatnonzero(runs < 0)
    return max(1, int(np.median(ends - starts))) if len(starts) else 1


def _crossed(strokes: np.ndarray, thickness: int) -> np.ndarray:
    """`strokes` with gaps of `thickness` filled where a stroke goes on, straight or slanted, on the far
    side."""
    from scipy import ndimage

    length = thickness + 4
    filled = strokes.copy()
    eye = np.eye(length, dtype=bool)
    for element in (np.ones((length, 1), bool), np.ones((1, length), bool), eye, eye[::-1]):
        filled |= ndimage.binary_closing(strokes, element)
    return filled
