"""Even light: how much of each pixel is ink, whatever falls on the paper.

Reflectance is light times paint, so ink is what is left when a photo is divided by its paper; and the paper
is what a closing leaves of it: every stroke narrower than the closing's window is filled, the edge of a
shadow stays where it is.

    ink = 1 - photo / paper,   paper = closing(photo)

Light on dark is much the same, with an opening.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

COARSE_PX = 400  # longer side of the picture in which the paper is looked for
WINDOW = 1 / 9  # of the shorter side: what is wider than this is paper, not ink
SURROUNDINGS_PX = 200  # the same for telling ink from paper
DOUBT = 6.0  # times as much: what is darker is then ink, or what is lighter
DIM = 0.15
DARKEST = 0.04  # paper is never taken for darker: noise would become ink


class Ink(NamedTuple):
    """What is written, apart from what it is written on."""

    ink: np.ndarray  # (H, W) float32, 0 for paper; a pen on paper has 0.3 to 0.9
    noise: float  # deviation of ink where there is only paper
    dark: bool  # whether ink is darker than paper


def inks(grey: np.ndarray) -> list[Ink]:
    """The ink in a photo, (H, W) float32 in [0, 1]: as dark on light and as light on dark, the likelier
    first; alone if there is no doubt."""
    darker, lighter = _outliers(grey)
    ways = [(_dark_on_light, True), (_light_on_dark, False)]
    if lighter > darker:
        ways.reverse()
    if max(darker, lighter) > DOUBT * min(darker, lighter):
        ways = ways[:1]
    found = ((way(grey), dark) for way, dark in ways)
    return [Ink(ink, noise(ink), dark) for ink, dark in found]


def _outliers(grey: np.ndarray) -> tuple[float, float]:
    """How much is darker than what surrounds it, and how much is lighter: paper is most of every
    surroundings."""
    from scipy import ndimage

    coarse = np.log(_reduced(grey, SURROUNDINGS_PX) + DARKEST)
    window = max(5, round(min(coarse.shape) * WINDOW)) | 1
    off = coarse - ndimage.median_filter(coarse, window, mode="nearest")
    return float(np.square(np.minimum(off, 0)).sum()), float(np.square(np.maximum(off, 0)).sum())


def _dark_on_light(grey: np.ndarray) -> np.ndarray:
    paper = np.maximum(_paper(grey, bright=True), DARKEST)
    return np.clip(1 - grey / paper, 0, 1)


def _light_on_dark(grey: np.ndarray) -> np.ndarray:
    """Chalk is a multiple of the board in any light; DIM keeps the noise of a black board small."""
    board = _paper(grey, bright=False)
    return np.clip((grey - board) / (grey + DIM), 0, 1)


def _paper(grey: np.ndarray, bright: bool) -> np.ndarray:
    """How bright the paper would be everywhere if nothing were written on it."""
    from PIL import Image
    from scipy import ndimage

    height, width = grey.shape
    coarse = _reduced(grey, COARSE_PX)
    coarse = ndimage.median_filter(coarse, 3, mode="nearest")
    window = max(5, round(min(coarse.shape) * WINDOW)) | 1
    first, second = ndimage.maximum_filter, ndimage.minimum_filter
    if not bright:
        first, second = second, first
    closed = second(first(coarse, window, mode="reflect"), window, mode="reflect")
    closed = ndimage.uniform_filter(closed, 3, mode="nearest")
    return np.asarray(Image.fromarray(closed).resize((width, height), Image.Resampling.BILINEAR))


def _reduced(grey: np.ndarray, longer_px: int) -> np.ndarray:
    """The picture with about so many pixels on its longer side."""
    from PIL import Image

    factor = max(1, round(max(grey.shape) / longer_px))
    height, width = (max(1, extent // factor) for extent in grey.shape)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))


def noise(ink: np.ndarray) -> float:
    """The deviation of paper, which is most of a photo: from differences of neighbours, whose median ink
    hardly moves."""
    differences = np.abs(ink[:, 2:] - ink[:, :-2])
    positive = differences[(ink[:, 2:] > 0) | (ink[:, :-2] > 0)]
    if not positive.size:
        return 0.0
    return float(np.median(positive)) / 0.6745 / 2**0.5
