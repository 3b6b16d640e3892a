"""From a scene to a photo: light and shadow, the lens, the sensor, and JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from .surfaces import Shape, clouds


def light(rng: np.random.Generator, shape: Shape, unevenness: float) -> np.ndarray:
    """How bright the light is, (H, W), 1 at its brightest: a gradient to one side, a lamp, the lens's dark
    corners."""
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = unevenness * rng.uniform(0.2, 1.0) * (np.cos(angle) * x + np.sin(angle) * y) / 2
    cx, cy = rng.uniform(-1.2, 1.2, 2)
    lamp = -unevenness * rng.uniform(0, 0.6) * ((x - cx) ** 2 + (y - cy) ** 2) / 4
    corners = -rng.uniform(0, 0.12) * (x * x + y * y) / 2
    out = np.exp(slope + lamp + corners).astype(np.float32)
    return out / out.max()


FORMS = ("edge", "bar", "phone", "arm")


def shadow(
    rng: np.random.Generator, shape: Shape, forms: tuple[str, ...] = FORMS, size_px: float | None = None
) -> np.ndarray:
    """What a cast shadow leaves of the light, (H, W): of a hand, a phone or a window frame, with an edge
    that is soft or hard; `size_px` is the longer side of the whole photo, if this is a part of it."""
    size = size_px or max(shape)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    cx, cy, angle = (
        rng.uniform(0.15, 0.85) * shape[1],
        rng.uniform(0.15, 0.85) * shape[0],
        rng.uniform(0, 2 * np.pi),
    )
    u = np.cos(angle) * (x - cx) + np.sin(angle) * (y - cy)
    v = -np.sin(angle) * (x - cx) + np.cos(angle) * (y - cy)
    form = rng.choice(forms)
    if form == "edge":
        distance = u + clouds(rng, shape, size / 3) * size * 0.05
    elif form == "bar":
        distance = np.abs(u) - size * rng.uniform(0.06, 0.2)
    elif form == "phone":
        outside = np.maximum(np.stack([np.abs(u) - size * 0.14, np.abs(v) - size * 0.28]), 0)
        distance = np.hypot(*outside) - size * 0.02  # with round corners
    else:  # an arm that comes in from one side, with a hand at its end
        arm = np.maximum(np.abs(u) - size * rng.uniform(0.07, 0.12), -v)
        distance = np.minimum(arm, np.hypot(u, v) - size * rng.uniform(0.1, 0.18))
        distance = distance + clouds(rng, shape, size / 8) * size * 0.015
    softness = size * (rng.uniform(0.001, 0.006) if rng.random() < 0.4 else rng.uniform(0.01, 0.08))
    dark = rng.uniform(0.3, 0.65)
    return 1 - dark / (1 + np.exp(np.clip(distance / softness, -30, 30)))


def exposed(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """The scene as bright as a phone's automatic exposure makes it, in light that is not quite white."""
    sample = scene[::8, ::8].mean(2)
    middle, bright, brightest = np.percentile(sample, (50, 97, 99.8))
    gain = min(rng.uniform(0.5, 0.85) / middle, rng.uniform(0.85, 1.05) / bright, 1.3 / brightest, 4.0)
    warmth = rng.uniform(-0.04, 0.06)
    return scene * (gain * np.array([1 + warmth, 1.0, 1 - warmth])).astype(np.float32)


def take(
    rng: np.random.Generator,
    scene: np.ndarray,
    *,
    blur_px: float,
    noise: float,
    quality: int,
    grey: bool,
) -> np.ndarray:
    """The photo, uint8 (H, W, 3), or (H, W) if `grey`, of the scene, (H, W, 3) from 0 to 1.

    blur_px   deviation of the lens's blur
    noise     deviation of the sensor's noise in grey levels, at mid grey
    quality   of JPEG
    """
    shape = scene.shape[:2]
    picture = Image.fromarray((np.clip(scene, 0, 1) * 255 + 0.5).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(blur_px))
    levels = np.asarray(picture).astype(np.float32)
    shot = noise * np.sqrt(0.4 + levels.mean(2) / 210)  # more where there is more light
    luminance = rng.standard_normal(shape, np.float32) * shot
    levels += luminance[..., None]
    for channel in (0, 2):
        levels[..., channel] += clouds(rng, shape, 2.0) * noise * 0.3
    # A phone's contrast curve
    levels = levels + rng.uniform(0, 14) * np.sin(2 * np.pi * (levels / 255 - 0.5))
    photo = Image.fromarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8))
    if grey:
        photo = photo.convert("L")
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
