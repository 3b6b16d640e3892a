"""What layers that read data tell about their samples, for evaluations and previews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Epoch(NamedTuple):
    """The samples of a source.  Every epoch goes through each of them once; epoch follows epoch in one
    endless sequence of samples.

    length   how many samples there are
    samples  function of ascending positions in the endless sequence, int64: the numbers of the samples there
    name     function of a sample's number: a name by which people find it, such as the path of its file
    classes  the names of the classes, by number; empty if there are none
    pixels   function of the images (N, C, H, W) of a batch: the pixels before mean and scale; None if those
             are not known
    """

    length: int
    samples: Callable[[np.ndarray], np.ndarray]
    name: Callable[[int], str]
    classes: Sequence[str] = ()
    pixels: Callable[[np.ndarray], np.ndarray] | None = None
