"""The rows of metrics.jsonl (metrics.py writes them), read back as curves."""

from __future__ import annotations

import math
from typing import Any

from ..errors import DataError, locate
from .curves import Curves, History, Row

LIMIT = 2**53  # integers that a float holds


def is_row(entry: dict[str, Any]) -> bool:
    """Whether an object of a file of JSON lines is a row of metrics."""
    return entry.get("phase") in ("train", "test") and "iteration" in entry


def curves(entries: list[dict[str, Any]], name: str) -> Curves:
    """The curves in the rows; other objects are passed over.

    null stands for a number that is not finite and becomes NaN.  Seconds start again at 0 with every process;
    what the processes before it took is added.  Where a start is not recorded (the line was lost) it is seen
    by seconds or iterations that step back.

    Raises DataError for a row with values of a wrong kind.
    """
    history = History()
    spent = longest = 0.0  # seconds: by the processes before, by this one
    latest: dict[int | None, float] = {}  # seconds of the last row, by kind

    def begin() -> None:
        nonlocal spent, longest
        history.begin()
        latest.clear()
        spent, longest = spent + longest, 0.0

    for place, entry in enumerate(entries, 1):
        if entry.get("phase") == "start":
            begin()
        if not is_row(entry):
            continue
        with locate(f"object {place}"):
            net = _integer(entry, "net", 0) if entry["phase"] == "test" else None
            row = row_of(entry)
        earlier = row.seconds is not None and row.seconds < latest.get(net, 0)
        if earlier or history.steps_back(net, row.iteration):
            begin()
        if row.seconds is not None:
            latest[net] = row.seconds
            longest = max(longest, row.seconds)
            row.seconds = round(spent + row.seconds, 6)
        history.add(net, row)
    return history.curves(name, set())


def row_of(entry: dict[str, Any]) -> Row:
    """A row as its line says it: seconds from the last start.  DataError for values of a wrong kind."""
    row = Row(
        _integer(entry, "iteration"),
        _number(entry, "seconds"),
        _number(entry, "lr"),
        _number(entry, "loss"),
    )
    if row.seconds is not None and not math.isfinite(row.seconds):
        row.seconds = None
    outputs = entry.get("outputs", {})
    if not isinstance(outputs, dict):
        raise DataError(f"outputs must be an object; got {outputs!r}")
    for name, value in outputs.items():
        elements = value if isinstance(value, list) else [value]
        row.outputs[name] = [_float(element, f"output {name!r}") for element in elements]
    ends = [part.get("loss") for part in (entry.get("min"), entry.get("max")) if isinstance(part, dict)]
    if len(ends) == 2:
        row.span = (_float(ends[0], "min.loss"), _float(ends[1], "max.loss"))
    return row


def _integer(entry: dict[str, Any], field: str, default: int | None = None) -> int:
    value = entry.get(field, default)
    if type(value) is not int or not 0 <= value < LIMIT:
        raise DataError(f"{field} must be an integer, 0 or above; got {value!r}")
    return value


def _number(entry: dict[str, Any], field: str) -> float | None:
    return _float(entry[field], field) if field in entry else None


def _float(value: Any, what: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{what} must be a number or null; got {value!r}")
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if value > 0 else -math.inf
