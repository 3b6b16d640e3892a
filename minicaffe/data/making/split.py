"""Parts of a data set: training, validation, test."""

from __future__ import annotations

import numpy as np

from ...errors import ConfigError
from ..order import permutation

PARTS = ("train", "val", "test")


def check(val: float, test: float) -> None:
    """ConfigError unless the two percentages leave something to train on."""
    if not (val >= 0 and test >= 0 and val + test < 100):
        raise ConfigError(
            f"--val {val:g} and --test {test:g}: percentages from 0 on that leave some images for training",
            hint="such as --val 10 --test 10",
        )


def split(
    labels: np.ndarray, val: float = 0, test: float = 0, seed: int = 0, given: np.ndarray | None = None
) -> np.ndarray:
    """The part of every sample, 0 for train, 1 for val, 2 for test: (N,), int8.

    Of every class, val and test percent of its samples, rounded half up, drawn by (seed, class); one at least
    is left for training.  So a class has the same share in every part, and a class that grows or goes does
    not change how the others are divided.

    Where the source has parts (`given`), only what is in train is divided.  ConfigError if it has one that is
    asked for.
    """
    check(val, test)
    parts = np.zeros(len(labels), np.int8) if given is None else given.copy()
    for number, percent in ((1, val), (2, test)):
        if percent and (parts == number).any():
            raise ConfigError(
                f"the source has a part {PARTS[number]} already", hint=f"leave --{PARTS[number]} out"
            )
    for label in np.unique(labels[parts == 0]).tolist():
        members = np.flatnonzero((labels == label) & (parts == 0))
        drawn = members[permutation(len(members), seed, label)]
        tested = min(int(len(drawn) * test / 100 + 0.5), len(drawn) - 1)
        validated = min(int(len(drawn) * val / 100 + 0.5), len(drawn) - 1 - tested)
        parts[drawn[:tested]] = 2
        parts[drawn[tested : tested + validated]] = 1
    return parts
