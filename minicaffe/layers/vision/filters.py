"""What pixels count in an image of another size, of Resample: weights of one axis after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, with a = -1/2."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


# type of resample_param -> the kernel, and its width as the fork takes it; none for the nearest pixel
FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray] | None, int]] = {
    "LINEAR": (triangle, 2),
    "CUBIC": (cubic, 4),
    "NEAREST": (None, 1),
}


def weights(size: Sequence[int], out: Sequence[int], method: str, antialias: bool) -> list[np.ndarray]:
    """Of rows and of columns: what every input counts in every output, (outputs, inputs)."""
    factors = [np.float32(n) / np.float32(o) for n, o in zip(size, out)]
    wide = antialias and max(factors) > 1
    return [
        _axis(n, o, f, other, method, wide) for n, o, f, other in zip(size, out, factors, reversed(factors))
    ]


def _axis(count: int, out: int, f: np.float32, other: np.float32, method: str, wide: bool) -> np.ndarray:
    two, half = np.float32(2), np.float32(0.5)
    at = (np.arange(out, dtype=np.float32) * f + other / two - half).astype(np.float64)
    nearest = np.trunc(at + np.copysign(0.5, at))
    pixels = np.arange(count)
    kernel, width = FILTERS[method]
    if kernel is None:
        return (pixels == np.clip(nearest, 0, count - 1)[:, None]).astype(np.float64)
    scale = np.float32(1) / f if wide else np.float32(1)
    reach = 2 if f < 1 else np.ceil(np.float32(width) / scale)
    near = np.abs(pixels - nearest[:, None]) <= reach
    counted = np.where(near, kernel(np.float64(scale) * (at[:, None] - pixels)), 0)
    total = counted.sum(1, keepdims=True)
    return counted / np.where(total != 0, total, 1)
