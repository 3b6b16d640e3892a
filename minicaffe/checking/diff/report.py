"""What differs, as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import Place
from ...printable import printable
from ..table import aligned
from . import arrays, backends
from .fields import Difference

Compared = arrays.ArrayDifference | backends.BlobDifference


def beyond(rows: Sequence[Compared], tolerance: float) -> list[Compared]:
    """The rows that differ by more than the tolerance, relative."""
    return [row for row in rows if not row.relative <= tolerance]


def fields_table(found: Sequence[Difference], width: int | None = None) -> str:
    """width, here and below: of the terminal; see `aligned`."""
    cells = [[row.layer, row.field, row.first, row.second] for row in found]
    return aligned(["layer", "field", "first", "second"], cells, "<<<<", width=width)


def arrays_table(rows: Sequence[arrays.ArrayDifference], width: int | None = None) -> str:
    """The arrays that differ."""
    cells = [
        [row.name, shape(row.shape), *_numbers(row), row.note or f"at {_index(row.worst)}"]
        for row in rows
        if row.absolute
    ]
    head = ["array", "shape", "absolute", "relative", ""]
    return aligned(head, cells, "<<>><", width=width, leaving=["", "shape"])


def backends_table(rows: Sequence[backends.BlobDifference], width: int | None = None) -> str:
    cells = [[row.layer, row.type, row.way, row.blob, *_numbers(row)] for row in rows]
    head = ["layer", "type", "pass", "blob", "absolute", "relative"]
    return aligned(head, cells, "<<<<>>", width=width, leaving=["type"])


def summary(rows: Sequence[Compared], tolerance: float, what: str) -> str:
    """One line: how many differ, and the first."""
    bad = beyond(rows, tolerance)
    if not bad:
        exactly = all(row.absolute == 0 for row in rows)
        return f"{len(rows)} {what}, " + ("all equal" if exactly else f"all equal within {tolerance:g}")
    first = printable(_named(bad[0]))
    return f"{len(bad)} of {len(rows)} {what} differ by more than {tolerance:g}; the first: {first}"


def plain(rows: Sequence[Compared | Difference]) -> list[dict[str, Any]]:
    """Rows for JSON, which has no infinity: what is infinite is null."""
    return [{key: _finite(value) for key, value in row._asdict().items()} for row in rows]


def shape(axes: tuple[int, ...]) -> str:
    return "x".join(map(str, axes)) or "scalar"


def _named(row: Compared) -> str:
    if isinstance(row, arrays.ArrayDifference):
        return (
            f"{row.name} {row.note}" if row.note else f"{row.name}, {row.relative:.2g} at {_index(row.worst)}"
        )
    layer = Place(layer=row.layer, type=row.type)
    return f"{layer} {row.way}, {row.blob}, {row.relative:.2g} at {_index(row.worst)}"


def _numbers(row: Compared) -> list[str]:
    if isinstance(row, arrays.ArrayDifference) and row.note:
        return ["", ""]
    return ["0" if value == 0 else f"{value:.2g}" for value in (row.absolute, row.relative)]


def _index(worst: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, worst))}]"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
