"""Arrays of any length through a net of fixed batch size: what forward_all and forward_backward_all share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from ..errors import ShapeError


def length(arrays: Mapping[str, np.ndarray]) -> int:
    """The length that all arrays have along axis 0; ShapeError if they differ, or there are none."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise ShapeError(f"arrays of one length are needed, by name of the blob; got {lengths}")
    return next(iter(lengths.values()))


def split(arrays: Mapping[str, np.ndarray], size: int) -> Iterator[dict[str, np.ndarray]]:
    """The arrays in batches of `size` rows, the last filled up with rows of zeros."""
    if not arrays:
        return
    for start in range(0, length(arrays), size):
        batch = {}
        for name, array in arrays.items():
            rows = np.asarray(array[start : start + size])
            padding = np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)
            batch[name] = np.concatenate([rows, padding]) if len(padding) else rows
        yield batch


class Collected:
    """Copies of what the batches gave, by name.

    What has a row for every row of the batches is joined, and the rows of the padding are dropped; of
    anything else (a loss) there is an entry per batch.
    """

    def __init__(self, names: Iterable[str], size: int) -> None:
        self.parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
        self.size = size

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, array in arrays.items():
            self.parts[name].append(array.copy())

    def joined(self, count: int) -> dict[str, np.ndarray]:
        return {name: self._join(parts, count) for name, parts in self.parts.items()}

    def _join(self, parts: list[np.ndarray], count: int) -> np.ndarray:
        if parts and all(part.shape[:1] == (self.size,) for part in parts):
            return np.concatenate(parts)[:count]
        return np.asarray(parts) if all(part.ndim == 0 for part in parts) else np.concatenate(parts)
