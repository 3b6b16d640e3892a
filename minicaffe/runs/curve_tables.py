"""Curves as tables, in the columns of Caffe's parse_log.py.

    NumIters,Seconds,LearningRate,<outputs...>

Differs from Caffe: an output of several elements has a column for each, name[0], name[1], ...; the columns
are those of all rows, and a cell is empty where a row has none; SmoothedLoss, the mean over average_loss
iterations, is the last column of training; TotalLoss (test_compute_loss) and TestNet, where there is more
than one test net, are the last of tests.  NumIters are integers.  The rate of a test is that of the display
at the same iteration, or of the latest before.  Seconds are those of training: the time between a process
and the one that resumed from it does not count.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from .curves import Curves, Row

FIRST = ("NumIters", "Seconds", "LearningRate")
LAST = ("SmoothedLoss", "TotalLoss", "TestNet")
Cells = dict[str, int | float | None]


def of_training(curves: Curves) -> list[Cells]:
    """A row for every display."""
    return [_cells(row, row.lr) | {"SmoothedLoss": row.loss} for row in curves.train]


def of_tests(curves: Curves) -> list[Cells]:
    """A row for every test of every test net, by iteration."""
    rows = sorted(
        ((row.iteration, net, row) for net, tests in curves.tests.items() for row in tests),
        key=lambda item: item[:2],
    )
    displays = [row for row in curves.train if row.lr is not None]
    rate, place, table = None, 0, []
    for iteration, net, row in rows:
        while place < len(displays) and displays[place].iteration <= iteration:
            rate = displays[place].lr
            place += 1
        last: Cells = {"TotalLoss": row.loss, "TestNet": net if len(curves.tests) > 1 else None}
        table.append(_cells(row, rate) | last)
    return table


def as_csv(table: Iterable[Cells], delimiter: str = ",") -> str:
    """A table as text, a line for each row below one of names.  Of the columns behind the first three those
    that are empty are left out."""
    rows = list(table)
    filled = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
    names = [*FIRST, *(name for name in filled if name not in FIRST + LAST)]
    names += [name for name in LAST if name in filled]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(row: Row, lr: float | None) -> Cells:
    cells: Cells = {"NumIters": row.iteration, "Seconds": row.seconds, "LearningRate": lr}
    for name, elements in row.outputs.items():
        for i, value in enumerate(elements):
            alone = len(elements) == 1 and name not in FIRST + LAST
            cells[name if alone else f"{name}[{i}]"] = value
    return cells
