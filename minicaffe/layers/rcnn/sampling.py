"""Which of many examples are taken at random."""

from __future__ import annotations

import numpy as np

from ...core.randomness import Stream
from ...philox import philox


def some(candidates: np.ndarray, most: int, random: Stream, purpose: int) -> np.ndarray:
    """`most` of the candidates, each as likely as any other, in their order; all if there are no more.

    Every candidate has a random word of its own, under the layer's key at (place, pass, purpose), and those
    with the smallest are taken: so the choice is the same whenever a pass is repeated.
    """
    if len(candidates) <= most:
        return candidates
    place = np.arange(len(candidates), dtype=np.uint32)
    rest = (np.full_like(place, word) for word in (random.passes, purpose, 0))
    words = philox(place, *rest, *(np.array([word], np.uint32) for word in random.key))[0]
    return candidates[np.sort(np.argsort(words, kind="stable")[: max(most, 0)])]
