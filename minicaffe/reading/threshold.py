"""Which pixels are written on: Otsu's threshold for the page, a local one for each place."""

from __future__ import annotations

import numpy as np

FAINTEST = 0.06  # ink that is told from paper at all
SURE = 5.0  # deviations of noise above which a pixel is hardly paper
SMOOTH = 0.15  # stroke widths: deviation of the blur
BINS = 128
WINDOW = 1 / 20  # of the shorter side: the surroundings of a pixel


def otsu(values: np.ndarray) -> float:
    """The threshold in [0, 1] that best parts values in two: the variance between the parts is largest.

    Source: N. Otsu, "A threshold selection method from gray-level histograms" (1979).
    """
    counts, edges = np.histogram(values, BINS, (0.0, 1.0))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.where((below > 0) & (above > 0), below * above * gap * gap, 0)
    best = np.flatnonzero(between == between.max())
    return float(edges[1:][best].mean())


def ink_level(ink: np.ndarray, noise: float) -> float:
    """How much ink a stroke has in its middle: the mean of the upper part, by Otsu, of what is no paper; 0 on
    an empty page."""
    seen = ink[ink > max(FAINTEST, SURE * noise)]
    if seen.size < 8:
        return 0.0
    return float(seen[seen >= min(otsu(seen), seen.max())].mean())


def local(ink: np.ndarray, noise: float, level: float) -> np.ndarray:
    """The ink above which a pixel belongs to a stroke, (H, W): half of what the darkest nearby have, and more
    than noise.

    level  of ink in strokes, as `ink_level` finds it
    """
    from scipy import ndimage

    window = max(5, round(min(ink.shape) * WINDOW)) | 1
    smooth = ndimage.uniform_filter(ink, 3, mode="nearest")
    darkest = ndimage.maximum_filter(smooth, window, mode="nearest")
    darkest = ndimage.uniform_filter(darkest, window, mode="nearest")
    lowest = max(FAINTEST, SURE * noise * 0.7, 0.3 * level)
    return np.maximum(lowest, 0.45 * np.minimum(darkest, level))


def smoothed(ink: np.ndarray, stroke_px: float) -> np.ndarray:
    """The ink without what is much finer than strokes: the grain of paper under a pencil, and noise."""
    from scipy import ndimage

    return ndimage.gaussian_filter(ink, min(max(0.5, stroke_px * SMOOTH), 3.0), mode="nearest", truncate=3.0)


def soft(ink: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """How far each pixel belongs to a stroke, from 0 to 1, and 1/2 at the threshold: edges stay smooth."""
    return np.clip(ink / threshold - 0.5, 0, 1).astype(np.float32)
