"""Which parts of an image a net's verdict hangs on: each is covered in turn.

Source: M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", 2014.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, DataError
from .stepper import Stepper

SHARE = 0.25  # of a side that is covered
MOST_PLACES = 400
BATCH = 40


class Occlusion(NamedTuple):
    """values  (rows, columns) of the class, with a square of `patch` pixels covered whose top left pixel is
              `step` times row and column
    before    with nothing covered
    """

    values: np.ndarray
    before: float
    patch: int
    step: int


def occluded(stepper: Stepper, input: np.ndarray, number: int, patch: int = 0) -> Occlusion:
    """Cover every part of a net's input (1, C, H, W) with what its border looks like, and ask for class
    `number`.

    patch  pixels of a side; 0: a quarter of the image's

    DataError for a class or a patch that there cannot be; ConfigError for a net without classes.
    """
    if not stepper.output:
        raise ConfigError("the net has no output with a value for each class")
    if not 0 <= number < stepper.classes:
        raise DataError(f"class {number}; expected 0 to {stepper.classes - 1}")
    height, width = input.shape[2:]
    patch = patch or max(1, round(SHARE * min(height, width)))
    if not 1 <= patch <= min(height, width):
        raise DataError(f"a patch of {patch} pixels; expected 1 to {min(height, width)}")
    step = 1
    while math.prod((side - patch) // step + 1 for side in (height, width)) > MOST_PLACES:
        step += 1
    border = np.concatenate([input[0, :, 0], input[0, :, -1], input[0, :, :, 0], input[0, :, :, -1]], axis=1)
    ground = np.median(border, axis=1)[:, None, None]  # (C, 1, 1)
    places = [(y, x) for y in range(0, height - patch + 1, step) for x in range(0, width - patch + 1, step)]
    covered = []
    for y, x in places:
        image = input[0].copy()
        image[:, y : y + patch, x : x + patch] = ground
        covered.append(image)
    values = [
        _values(stepper, np.stack(covered[i : i + BATCH]), number) for i in range(0, len(covered), BATCH)
    ]
    before = float(_values(stepper, input, number)[0])
    columns = (width - patch) // step + 1
    return Occlusion(np.concatenate(values).reshape(-1, columns), before, patch, step)


def _values(stepper: Stepper, images: np.ndarray, number: int) -> np.ndarray:
    stepper.net.put_inputs({stepper.input: images})
    scores = stepper.net.forward()[stepper.output]
    return scores.reshape(len(images), stepper.classes, -1)[:, number].mean(axis=1)
