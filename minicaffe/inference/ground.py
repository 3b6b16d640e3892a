"""Whether an image is dark on a light ground, as ink on paper, or light on a dark one, as MNIST."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..convert.deploy import WHITE

LIGHT, DARK = "light", "dark"
FLAT = 16  # an image whose pixels differ by less shows nothing
SHARE = 0.9  # of the images that must agree
SMALL_PX = 64  # a grey input of at most this side is taken for one of characters


def of_image(image: np.ndarray) -> str | None:
    """The ground of an image (C, H, W), bytes: light if the median of its outermost pixels is nearer to its
    brightest pixel than to its darkest, else dark; None if it is the same all over."""
    plane = image.mean(axis=0)
    low, high = float(plane.min()), float(plane.max())
    if high - low < FLAT:
        return None
    border = np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])
    return LIGHT if 2 * float(np.median(border)) > low + high else DARK


def of_images(images: Sequence[np.ndarray]) -> str | None:
    """The ground that at least nine tenths of the images have that show anything; None if there is none.
    Pixels may have any range: they are stretched to that of bytes."""
    highest = max([float(image.max()) for image in images], default=0.0)
    if highest <= 0:
        return None
    found = [of_image(np.asarray(image, np.float32) * (WHITE / highest)) for image in images]
    for ground in (LIGHT, DARK):
        if found.count(ground) >= SHARE * max(len(found) - found.count(None), 1):
            return ground
    return None


def guessed(shape: Sequence[int], mean: float | None) -> str | None:
    """What a net of this input (C, H, W) was probably trained on, if its data is not here.

    mean   of the training data, if it is known: below a quarter of white the ground was dark, above three
           quarters light, between the two nothing is known

    Without a mean small images are taken for characters, which public sets (MNIST, EMNIST, KMNIST,
    Fashion-MNIST) have on a dark ground; of larger ones nothing is known.
    """
    if mean is not None:
        return DARK if mean < 0.25 * WHITE else LIGHT if mean > 0.75 * WHITE else None
    return DARK if max(shape[1:]) <= SMALL_PX else None
