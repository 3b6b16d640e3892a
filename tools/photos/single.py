"""Test sets made of MNIST's: each digit photographed, shifted or turned; (N, 28, 28) uint8 in and out."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from . import camera, surfaces

SIDE, ENLARGED = 28, 4


def photographed(images: np.ndarray, seed: int) -> np.ndarray:
    """Each digit drawn on paper, photographed, and cut out again: light on dark, grey levels stretched to the
    whole range and not thresholded, so the paper's light, shadows, grain and noise are still there.

    Half of the photos have a cast shadow's edge in them; the digit is up to 8 % larger or smaller and up to a
    pixel away from where it was.
    """
    return np.stack(
        [_photographed(image, np.random.default_rng([seed, i])) for i, image in enumerate(images)]
    )


def _photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = SIDE * ENLARGED
    shape = (side, side)
    scale = ENLARGED * rng.uniform(0.92, 1.08)
    centre = (SIDE - 1) / 2 + rng.uniform(-1, 1, 2)
    smooth = ndimage.affine_transform(
        image.astype(np.float32) / 255, np.eye(2) / scale, centre - (side - 1) / 2 / scale, shape, order=3
    )
    smooth = ndimage.gaussian_filter(smooth, 0.4 * ENLARGED)
    alpha = np.clip((smooth - rng.uniform(0.3, 0.5)) * 4 + 0.5, 0, 1)
    alpha *= rng.uniform(0.65, 1.0) * np.clip(
        1.1 - rng.uniform(0, 0.35) * np.abs(surfaces.clouds(rng, shape, 3)), 0, 1
    )
    ink = rng.uniform(0.05, 0.35) + rng.uniform(-0.04, 0.12) * np.array([-0.5, 0, 1.0])
    scene = surfaces.paper(rng, shape)
    scene = scene * (1 - alpha[..., None] * (1 - ink)).astype(np.float32)
    brightness = camera.light(rng, shape, rng.uniform(0.1, 0.5))
    if rng.random() < 0.5:
        brightness = brightness * camera.shadow(rng, shape, ("edge",), 5 * side)
    scene = camera.exposed(rng, scene * brightness[..., None])
    photo = camera.take(
        rng,
        scene,
        blur_px=rng.uniform(0.4, 1.6),
        noise=rng.uniform(2, 12),
        quality=int(rng.integers(40, 90)),
        grey=True,
    )
    levels = 255 - np.asarray(Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.BOX)).astype(
        np.float32
    )
    low, high = np.percentile(levels, (5, 99.5))
    return np.clip((levels - low) / max(high - low, 1) * 255 + 0.5, 0, 255).astype(np.uint8)


def shifted(images: np.ndarray, seed: int, most_px: int = 4) -> np.ndarray:
    """Each digit moved by whole pixels, up to `most_px` to each side; what enters is 0."""
    moves = np.random.default_rng(seed).integers(-most_px, most_px + 1, (len(images), 2))
    padded = np.pad(images, ((0, 0), (most_px, most_px), (most_px, most_px)))
    side = images.shape[1]
    return np.stack([p[y : y + side, x : x + side] for p, (y, x) in zip(padded, moves + most_px)])


def rotated(images: np.ndarray, seed: int, most_degrees: float = 30) -> np.ndarray:
    """Each digit turned about its centre by up to `most_degrees` to either side, linearly interpolated."""
    angles = np.random.default_rng(seed).uniform(-most_degrees, most_degrees, len(images))
    return np.stack(
        [np.asarray(Image.fromarray(i).rotate(a, Image.Resampling.BILINEAR)) for i, a in zip(images, angles)]
    )
