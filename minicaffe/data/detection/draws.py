"""Random numbers of a batch of images: functions of a key and of an image's place among all samples.

Number i of a step is word i % 4 of philox at the counter

    (low word of the place, high word, i // 4, step)

The steps of a Transformer and of an Augmentation have numbers below 64 (kernels/augment/plan.py), so that
none disturbs another's numbers.
"""

from __future__ import annotations

import numpy as np

from ..transformer import random_words

# Runs that are resumed depend on these numbers.
DISTORT, EXPAND, CHOICE, SALT = range(64, 68)
SAMPLER = 128  # and so on, a step for each batch_sampler


def numbers(places: np.ndarray, key: tuple[int, int], step: int, count: int) -> np.ndarray:
    """(N, count) numbers from [0, 1), in steps of 2^-32, for the images at these places."""
    words = random_words(places[:, None], key, np.arange(-(-count // 4)), step)
    return np.stack(words, axis=-1).reshape(len(places), -1)[:, :count] * 2.0**-32
