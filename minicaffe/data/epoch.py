"""What a source knows of its samples beside their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Epoch(NamedTuple):
    """The samples of a source, of which an epoch brings each once.

    length   how many there are
    samples  which of them stand at these ascending places of the endless sequence, by number, int64
    name     a sample by its number, as people would look for it: the path of its file
    classes  the names of its classes, by number; empty if it has none
    pixels   images (N, C, H, W) of a batch as they were before mean and scale; None if that is not known
    """

    length: int
    samples: Callable[[np.ndarray], np.ndarray]
    name: Callable[[int], str]
    classes: Sequence[str] = ()
    pixels: Callable[[np.ndarray], np.ndarray] | None = None
