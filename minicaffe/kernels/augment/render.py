"""A batch of images as their plans say."""

from __future__ import annotations

import numpy as np

from ..cpu import jit
from .pixels import add_noise, bend, erase, recolour, shade, smooth, store, taps
from .plan import (
    BENT,
    BLUR_SIGMA,
    COLOUR,
    COLUMNS,
    DISTANCE,
    ELASTIC,
    GAIN,
    LEFT,
    MOVED,
    NOISE,
    NOISE_STD,
    ROWS,
    STRENGTH,
    TOP,
    TURN,
    VALUE,
    A,
    B,
    C,
)
from .warp import PADDING, pad, warp


@jit
def render(images, places, k0, k1, plans, alpha, sigma, fill, erased, out):
    """images (N, C, h, w), bytes or floats, changed as plans (N, LENGTH) say, into out of their shape: bytes,
    rounded, or float32.

    places        (N,), and the key (k0, k1): what noise and displacements are drawn from
    alpha, sigma  of elastic displacements
    fill, erased  (C,), float32: the values beyond the image, and in the rectangles that are erased
    """
    count, c, h, w = images.shape
    padded = np.empty((c, (h + PADDING) * (w + PADDING)), np.float32)
    work, scratch = np.empty((c, h, w), np.float32), np.empty((h, w), np.float32)
    none, field = np.empty((2, 0, 0), np.float32), np.empty((2, h, w), np.float32)
    for n in range(count):
        plan, place = plans[n], np.uint64(places[n])
        if plan[MOVED]:
            for k in range(c):
                pad(images[n, k], fill[k], padded[k])
            if plan[BENT]:
                bend(place, ELASTIC, k0, k1, alpha, sigma, field, scratch)
                warp(padded, plan, field, work)
            else:
                warp(padded, plan, none, work)
        else:
            source, target = images[n].reshape(-1), work.reshape(-1)
            for i in range(source.size):
                target[i] = source[i]
        if plan[BLUR_SIGMA] > 0:
            weights = taps(plan[BLUR_SIGMA])
            for k in range(c):
                smooth(work[k], weights, scratch)
        recolour(work, plan[GAIN], plan[DISTANCE], plan[COLOUR], plan[TURN])
        if plan[STRENGTH] > 0:
            shade(work, plan[STRENGTH], plan[VALUE], plan[A], plan[B], plan[C])
        if plan[NOISE_STD] > 0:
            add_noise(work, place, NOISE, k0, k1, plan[NOISE_STD])
        if plan[ROWS] > 0:
            top, left = int(plan[TOP]), int(plan[LEFT])
            erase(work, top, left, int(plan[ROWS]), int(plan[COLUMNS]), erased)
        store(work, out[n])
