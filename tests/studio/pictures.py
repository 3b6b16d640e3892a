"""Folders of small images to make data sets of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cats", "dogs")


def png(seed: int, size: tuple[int, int] = (8, 8), colour: bool = True) -> bytes:
    """A PNG of random pixels."""
    shape = (*size, 3) if colour else size
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def class_folders(
    folder: Path, classes: tuple[str, ...] = CLASSES, each: int = 5, colour: bool = True
) -> Path:
    """FOLDER/CLASS/N.png, every image another."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for image in range(each):
            (folder / name / f"{image}.png").write_bytes(png(100 * number + image, colour=colour))
    return folder
