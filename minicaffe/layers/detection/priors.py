"""The boxes that a detector starts from, as layers read them: with offsets and scores for each."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.blob import Blob
from ...errors import ShapeError


def count_priors(bottom: Sequence[Blob], sets: int, classes: int) -> int:
    """How many boxes there are; ShapeError unless bottom 0 holds so many sets of offsets for each, bottom 1
    scores, and bottom 2 the boxes and their variances."""
    loc, scores, prior = bottom[:3]
    n, priors = loc.shape[0] if loc.shape else 0, prior.count // 8
    if prior.count % 8 or prior.count == 0:
        raise ShapeError(f"bottom 2 must be (1, 2, priors * 4), boxes and variances; got {prior.shape}")
    for i, (blob, each) in enumerate(((loc, sets * 4), (scores, classes))):
        if blob.shape[:1] != (n,) or blob.count != n * priors * each:
            wanted = (n, priors * each)
            raise ShapeError(f"bottom {i} must be {wanted}, {priors} priors by {each}; got {blob.shape}")
    return priors
