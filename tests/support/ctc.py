"""What the tests of layers that spell lines share: all paths of a few steps, and what they say."""

from __future__ import annotations

import itertools

import numpy as np


def read(path, blank: int, merge: bool = True) -> list[int]:
    """What a path says: without repetitions, then without blanks."""
    told = [label for i, label in enumerate(path) if not (merge and i and label == path[i - 1])]
    return [label for label in told if label != blank]


def without(line, blank: int) -> list[int]:
    return [int(label) for label in line if int(label) != blank]


def cost(x: np.ndarray, line, blank: int) -> float:
    """-log of the sum over all paths through scores x (steps, classes); 0 if none says the line."""
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    total = sum(
        np.prod(p[np.arange(len(x)), path])
        for path in map(list, itertools.product(range(x.shape[1]), repeat=len(x)))
        if read(path, blank) == without(line, blank)
    )
    return -np.log(total) if total > 0 else 0.0


def loss(x: np.ndarray, lines: np.ndarray, blank: int = 0) -> np.ndarray:
    x = x.reshape(*x.shape[:2], -1)
    return np.array(
        np.mean([cost(x[:, n], line, blank) for n, line in enumerate(lines.reshape(len(lines), -1))])
    )


def check_sum(rig, x: np.ndarray, lines: np.ndarray, alone) -> None:
    """The gradient of a batch is that of every sequence alone, in the rig `alone`, not divided by how many
    there are."""
    rig.forward([x, lines])
    rig.device.fill(rig.top[0].diff, 1.5)
    (dx, _), _ = rig.backward()
    for n in range(x.shape[1]):
        alone.forward([x[:, n : n + 1], lines[n : n + 1]])
        alone.device.fill(alone.top[0].diff, 1.5)
        (one, _), _ = alone.backward()
        np.testing.assert_allclose(dx[:, n], one[:, 0], rtol=1e-12, atol=1e-15)
