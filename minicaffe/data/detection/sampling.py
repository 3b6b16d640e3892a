"""Parts of an image that are drawn at random until some meet a constraint.

Source: Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg, "SSD: Single Shot MultiBox Detector", ECCV 2016.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .boxes import WHOLE, coverage, jaccard

NUMBERS = 4  # of a trial: scale, aspect, place along either axis


class Constraint(NamedTuple):
    """What some object has to have in common with a part, from a least to a most.

    measure  jaccard: the area that both share over the area that both cover; sample: the share of the part
             that lies in the object; object: the share of the object that lies in the part
    """

    measure: str
    least: float
    most: float

    def met(self, parts: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """Which of the parts (T, 4) meet it with one of the objects (M, 4) at least: (T,)."""
        if self.measure == "jaccard":
            shares = jaccard(parts, objects)
        elif self.measure == "sample":
            shares = coverage(parts, objects)
        else:
            shares = coverage(objects, parts).T
        met: np.ndarray = (shares >= self.least) & (shares <= self.most)
        return np.any(met, axis=1)


class Sampler(NamedTuple):
    """Draws up to `trials` parts and takes the first `most` that meet the constraint; all where `most` is
    None.

    scale   from what to what the square root of a part's area is drawn, as a share of the image's
    aspect  likewise width / height, as far as a part of that scale lies in the image
    """

    scale: tuple[float, float]
    aspect: tuple[float, float]
    constraint: Constraint | None
    trials: int
    most: int | None

    def parts(self, numbers: np.ndarray) -> np.ndarray:
        """The parts that numbers (T, NUMBERS) from [0, 1) stand for: (T, 4)."""
        scale = _between(*self.scale, numbers[:, 0])
        flattest = np.maximum(scale * scale, 1e-12)
        low, high = (np.clip(aspect, flattest, 1 / flattest) for aspect in self.aspect)
        root = np.sqrt(_between(low, high, numbers[:, 1]))
        sides = np.minimum(np.stack([scale * root, scale / root], axis=1), 1.0)
        corner = numbers[:, 2:4] * (1 - sides)
        return np.concatenate([corner, np.minimum(corner + sides, 1.0)], axis=1)

    def found(self, numbers: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """The parts that are taken for an image with these objects (M, 4)."""
        parts = self.parts(numbers)
        if self.constraint is not None:
            parts = parts[self.constraint.met(parts, objects)]
        return parts[: self.most]


def chosen(found: list[np.ndarray], number: float) -> np.ndarray:
    """One of all the parts that the samplers found, each as likely; the whole image if they found none."""
    parts = np.concatenate(found)
    return parts[int(number * len(parts))] if len(parts) else WHOLE


def pixels(part: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of an image that a part of it has: whole pixels, one at least."""
    spans = []
    for low, high, extent in ((part[1], part[3], height), (part[0], part[2], width)):
        first = min(int(low * extent), extent - 1)
        spans.append(slice(first, min(first + max(int((high - low) * extent), 1), extent)))
    return spans[0], spans[1]


def shares(rows: slice, columns: slice, height: int, width: int) -> np.ndarray:
    """The box of these rows and columns of an image, which may lie beyond it: (4,)."""
    return np.array([columns.start / width, rows.start / height, columns.stop / width, rows.stop / height])


def _between(low: float | np.ndarray, high: float | np.ndarray, share: np.ndarray) -> np.ndarray:
    return low + (high - low) * share
