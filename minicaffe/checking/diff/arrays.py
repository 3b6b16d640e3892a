"""Two sets of weights or two solver states, array by array."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...convert import formats
from ...errors import locate
from ...proto import binary, named
from ...proto.schema import Message, NetParameter, SolverState


class ArrayDifference(NamedTuple):
    """One array of either side.

    absolute  the largest |a - b|: 0 where both are NaN or the same infinity, infinite where one alone is
    relative  absolute / the largest finite |a| or |b|
    worst     where that is, as an index
    note      why there is nothing to compare
    """

    name: str
    shape: tuple[int, ...]
    absolute: float
    relative: float
    worst: tuple[int, ...] = ()
    note: str = ""


def compare(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> list[ArrayDifference]:
    """Arrays of equal names, in the order of the first, then what only the second has."""
    rows = []
    for name, array in first.items():
        other = second.get(name)
        if other is None:
            rows.append(_unmatched(name, array, "only in the first"))
        elif array.shape != other.shape:
            rows.append(_unmatched(name, array, f"has shape {other.shape} in the second"))
        else:
            rows.append(ArrayDifference(name, array.shape, *difference(array, other)))
    rows += [
        _unmatched(name, array, "only in the second") for name, array in second.items() if name not in first
    ]
    return rows


def difference(
    first: np.ndarray, second: np.ndarray, scale: float = 0.0
) -> tuple[float, float, tuple[int, ...]]:
    """absolute, relative and worst of two arrays of one shape; relative to `scale` at least."""
    if not first.size:
        return 0.0, 0.0, ()
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    gap = np.where(np.isnan(gap), np.inf, gap)
    at = np.unravel_index(int(gap.argmax()), gap.shape)
    absolute = float(gap[at])
    size = max(scale, *(float(np.abs(x[np.isfinite(x)]).max(initial=0)) for x in (a, b)))
    relative = absolute / size if size else (math.inf if absolute else 0.0)
    return absolute, relative, tuple(map(int, at))


def of_message(message: Message) -> dict[str, np.ndarray]:
    """The arrays of weights (layer/number) or of a solver state (history/number), by name.

    Raises WeightsError for arrays that are damaged.
    """
    if isinstance(message, NetParameter):
        return named.to_arrays(formats.in_todays_shapes(message))
    assert isinstance(message, SolverState)
    arrays = {
        "iter": np.array(message.iter, np.int64),
        "current_step": np.array(message.current_step, np.int64),
    }
    for i, blob in enumerate(message.history):
        with locate(f"history {i}"):
            arrays[f"history/{i}"] = binary.to_array(blob)
    return arrays


def _unmatched(name: str, array: np.ndarray, note: str) -> ArrayDifference:
    return ArrayDifference(name, array.shape, math.inf, math.inf, note=note)
