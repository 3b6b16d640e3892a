"""The metrics of a run as series of points, read as they grow and thinned without losing a point or a spike.

    series = Series(home.metrics)
    series.read()                            what was appended since the last look
    series.since(0, points=1200)             all of it, in at most 1200 points for each series
    series.since(answer["next"], 1200)       what came after that answer

Names of series: train/loss, train/lr, train/outputs/NAME, test0/NAME; elements of an output have their index
behind it.  Which rows count where a run was resumed is what `runs.curves.History` says.

A point stands for `rows` rows of the file, x being the iteration of the last of them: y is their mean, low
and high what they reached, and bad says how many were not finite.  y is null where none is.
"""

from __future__ import annotations

import json
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..runs import metric_rows
from ..runs.curves import Row

PIECE_BYTES = 1 << 22  # read at a time
MOST_ELEMENTS = 16  # of an output that are series of their own; of more, the mean, and how far they lie apart
MOST_POINTS = 5000  # of a series in one answer


class Points:
    """One series: as many entries in each array as there are rows that state it."""

    def __init__(self) -> None:
        self.iteration, self.end = array("q"), array("q")  # end: of the row, in bytes of the file
        self.seconds, self.value, self.low, self.high = array("d"), array("d"), array("d"), array("d")

    @property
    def arrays(self) -> tuple[array, ...]:
        return self.iteration, self.end, self.seconds, self.value, self.low, self.high

    def add(self, row: Row, end: int, value: float, low: float, high: float) -> None:
        seconds = float("nan") if row.seconds is None else row.seconds
        for column, entry in zip(self.arrays, (row.iteration, end, seconds, value, low, high)):
            column.append(entry)

    def cut(self, first: int) -> None:
        """Drop the last points, as far as their iterations are `first` or later."""
        keep = len(self.iteration)
        while keep and self.iteration[keep - 1] >= first:
            keep -= 1
        for column in self.arrays:
            del column[keep:]

    def thinned(self, after: int, most: int, window: tuple[float, float] | None) -> dict[str, list] | None:
        """The points behind byte `after`, or those of a window of iterations, as at most `most`; None if
        there is none."""
        first, stop = bisect_right(self.end, after), len(self.end)
        if window is not None:
            first = max(first, bisect_left(self.iteration, window[0]))
            stop = bisect_right(self.iteration, window[1])
        if first >= stop:
            return None
        x, _, seconds, y, low, high = (np.array(column[first:stop]) for column in self.arrays)
        step = -(-x.size // most)
        starts = np.arange(0, x.size, step)
        lasts = np.minimum(starts + step, x.size) - 1
        good = np.isfinite(y)
        counts = np.add.reduceat(good.astype(np.int64), starts)
        sums = np.add.reduceat(np.where(good, y, 0.0), starts)
        sizes = lasts - starts + 1
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sums / counts
        if step == 1:
            mean = y  # the very numbers of the file: a sum with 0 would lose the sign of -0
        least = np.minimum.reduceat(np.where(np.isfinite(low), low, np.inf), starts)
        greatest = np.maximum.reduceat(np.where(np.isfinite(high), high, -np.inf), starts)
        found = {"x": x[lasts].tolist(), "seconds": seconds[lasts].tolist(), "y": mean.tolist()}
        if step > 1:
            found["first"], found["rows"] = x[starts].tolist(), sizes.tolist()
        if step > 1 or (low != high).any():
            found["low"], found["high"] = least.tolist(), greatest.tolist()
        if not good.all():
            found["bad"] = (sizes - counts).tolist()
        return found


class Series:
    """All series of one metrics.jsonl.  Not for several threads at once.

    process  how many processes have written the file so far: when this changes, points may have been taken
             back, and whoever holds some begins anew
    offset   of the file that has been read, whole lines only
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._clear()

    def _clear(self) -> None:
        self.process, self.offset = 0, 0
        self.points: dict[str, Points] = {}
        self.rows = 0
        self._kinds: dict[int | None, list[str]] = {}  # names of the series of a test net, or of training
        self._latest: dict[int | None, int] = {}  # iteration, of this process
        self._seconds: dict[int | None, float] = {}  # of the last row, by kind
        self._spent = self._longest = 0.0  # seconds, by the processes before and by this one

    def read(self) -> bool:
        """Read what was appended; whether anything was.  A file that has become shorter is another one."""
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_size < self.offset:
                    self._clear()
                file.seek(self.offset)
                before = self.offset
                while piece := file.read(PIECE_BYTES):
                    whole = piece.rfind(b"\n") + 1
                    if not whole and len(piece) < PIECE_BYTES:
                        break
                    self._take(piece[: whole or len(piece)])
                    file.seek(self.offset)
        except FileNotFoundError:
            before = self.offset
            if before:
                self._clear()
        return self.offset != before

    def _take(self, piece: bytes) -> None:
        for line in piece.splitlines(keepends=True):
            self.offset += len(line)
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                self._enter(entry)

    def _begin(self) -> None:
        self.process += 1
        self._latest.clear()
        self._seconds.clear()
        self._spent, self._longest = self._spent + self._longest, 0.0

    def _enter(self, entry: dict[str, Any]) -> None:
        if entry.get("phase") == "start":
            self._begin()
        if not metric_rows.is_row(entry):
            return
        try:
            row = metric_rows.row_of(entry)
            net = entry.get("net", 0) if entry["phase"] == "test" else None
        except DataError:  # a damaged row is none
            return
        if net is not None and (type(net) is not int or net < 0):
            return
        early = row.seconds is not None and row.seconds < self._seconds.get(net, 0)
        if early or row.iteration <= self._latest.get(net, -1):
            self._begin()
        if row.seconds is not None:
            self._seconds[net] = row.seconds
            self._longest = max(self._longest, row.seconds)
            row.seconds = round(self._spent + row.seconds, 6)
        self._take_back(net, row.iteration)
        self._latest[net] = row.iteration
        self._kinds.setdefault(net, [])
        self.rows += 1
        for name, value, low, high in _values(row, entry, net):
            if name not in self.points:
                self.points[name] = Points()
                self._kinds[net].append(name)
            self.points[name].add(row, self.offset, value, low, high)

    def _take_back(self, net: int | None, iteration: int) -> None:
        """Drop what an earlier process had done behind this row (runs.curves.History)."""
        for kind, names in self._kinds.items():
            if kind not in self._latest:  # its last row is of an earlier process
                for name in names:
                    self.points[name].cut(iteration + (kind != net))

    def since(
        self, after: int, points: int, window: tuple[float, float] | None = None
    ) -> dict[str, dict[str, list]]:
        """What came behind byte `after`, by name of the series."""
        most = min(max(points, 1), MOST_POINTS)
        found = {name: series.thinned(after, most, window) for name, series in self.points.items()}
        return {name: columns for name, columns in found.items() if columns is not None}

    def last(self, name: str) -> tuple[int, float, float] | None:
        """Iteration, seconds and value of the last point of a series."""
        points = self.points.get(name)
        if points is None or not points.iteration:
            return None
        return points.iteration[-1], points.seconds[-1], points.value[-1]

    @property
    def iteration(self) -> int:
        """The latest iteration that any row is of."""
        return max((p.iteration[-1] for p in self.points.values() if p.iteration), default=0)

    def tests(self, net: int = 0) -> list[Row]:
        """The rows of a test net, each output with one number."""
        rows: dict[int, Row] = {}
        prefix = f"test{net}/"
        for name, points in self.points.items():
            if name.startswith(prefix):
                for iteration, value in zip(points.iteration, points.value):
                    row = rows.setdefault(iteration, Row(iteration))
                    row.outputs[name.removeprefix(prefix)] = [value]
        return [rows[iteration] for iteration in sorted(rows)]


def _values(row: Row, entry: dict[str, Any], net: int | None) -> Iterator[tuple[str, float, float, float]]:
    """Name, value, lowest and highest of everything that a row states."""
    kind = "train" if net is None else f"test{net}"
    if row.lr is not None:
        yield f"{kind}/lr", row.lr, row.lr, row.lr
    if row.loss is not None:
        low, high = row.span or (row.loss, row.loss)
        yield f"{kind}/loss" if net is None else f"{kind}/total loss", row.loss, low, high
    prefix = f"{kind}/outputs/" if net is None else f"{kind}/"
    lows, highs = _ends(entry, "min"), _ends(entry, "max")
    for name, values in row.outputs.items():
        if len(values) > MOST_ELEMENTS:
            yield prefix + name, sum(values) / len(values), min(values), max(values)
            continue
        for i, value in enumerate(values):
            low, high = (_element(ends.get(name), i, value) for ends in (lows, highs))
            yield prefix + name + (f" {i}" if len(values) > 1 else ""), value, low, high


def _ends(entry: dict[str, Any], which: str) -> dict[str, Any]:
    """What merged rows say of their lowest or highest outputs."""
    part = entry.get(which)
    outputs = part.get("outputs") if isinstance(part, dict) else None
    return outputs if isinstance(outputs, dict) else {}


def _element(ends: Any, index: int, otherwise: float) -> float:
    values = ends if isinstance(ends, list) else [ends]
    value = values[index] if index < len(values) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise
