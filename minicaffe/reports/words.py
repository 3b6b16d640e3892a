"""What is said of an evaluation, in the same words on a terminal, on the page and in pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..printable import printable
from .evaluation import TOP, Evaluation
from .metrics import BINS

MOST_CLASSES = 30  # that a table lists
LONGEST = 28  # letters of the name of a class
TABLE = ("class", "samples", "precision", "recall", "F1")


def summary(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The numbers that stand for all: what it is, its value, more about it."""
    accuracy, top5 = evaluation.accuracy, evaluation.top5
    interval = f"95 %: {100 * accuracy.low:.2f} to {percent(accuracy.high)}"
    lines = [
        ("accuracy", percent(accuracy.value), interval),
        ("mistakes", f"{len(evaluation.mistakes):,}", f"of {evaluation.samples:,} samples"),
    ]
    if top5 is not None:
        lines.append(
            (f"top-{TOP} accuracy", percent(top5.value), f"{top5.total - top5.hits:,} not among them")
        )
    return [
        *lines,
        ("macro F1", f"{evaluation.macro_f1:.4f}", "mean over the classes"),
        ("log loss", f"{evaluation.log_loss:.4f}", f"Brier score {evaluation.brier:.4f}"),
        ("calibration error", f"{evaluation.calibration.error:.4f}", f"expected, {BINS} bins"),
        ("suspect labels", f"{len(evaluation.suspects):,}", "of the mistakes"),
    ]


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader must know to read the numbers rightly."""
    found = list(evaluation.notes)
    if evaluation.left_out:
        found.append(f"{evaluation.left_out:,} samples of the source were not looked at.")
    if evaluation.ignored:
        found.append(f"{evaluation.ignored:,} samples do not count: their label stands for none.")
    absent = int((evaluation.by_class.support == 0).sum())
    if absent:
        found.append(f"{absent:,} of {len(evaluation.classes):,} classes do not occur in the data.")
    return found


def listed(evaluation: Evaluation) -> list[int]:
    """The classes that a table lists: all, or of many those with the lowest F1."""
    scores = evaluation.by_class
    if len(scores.f1) <= MOST_CLASSES:
        return list(range(len(scores.f1)))
    occur = np.flatnonzero(scores.support > 0)
    return occur[np.argsort(scores.f1[occur], kind="stable")][:MOST_CLASSES].tolist()


def cells(evaluation: Evaluation, c: int) -> tuple[str, str, str, str, str]:
    """The row of a class, in the columns of TABLE."""
    scores = evaluation.by_class
    ratios = (ratio(values[c]) for values in (scores.precision, scores.recall, scores.f1))
    return (named(evaluation.classes, c), f"{scores.support[c]:,}", *ratios)  # type: ignore[return-value]


def unlisted(evaluation: Evaluation) -> str:
    """What to say if `listed` leaves classes out."""
    count, of = len(listed(evaluation)), len(evaluation.classes)
    return f"The {count} of {of:,} classes with the lowest F1; report.json has all." if count < of else ""


def named(names: Sequence[str], c: int) -> str:
    """A class as people see it: its number, and its name if that is another."""
    name = printable(names[c])
    name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return name if name == str(c) else f"{c} {name}"


def sample(name: str) -> str:
    """Which sample it is: the path of a file, #4740."""
    return f"#{name}" if name.isdecimal() else printable(name).rstrip("/")


def percent(value: float) -> str:
    """A share in per cent, never rounded to none or all."""
    if 0 < value < 0.00005:
        return "< 0.01 %"
    if 0.99995 <= value < 1:
        return "> 99.99 %"
    return f"{100 * value:.2f} %"


def certain(probability: float) -> str:
    """A certainty in per cent, never rounded to what it is not: 100 % is certain, 0 % impossible."""
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def ratio(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
