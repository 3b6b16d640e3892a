"""How good predictions are: formulas over all samples of a test, in float64.

N samples, C classes; p[i, c] is the probability that the net gives class c for sample i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError

BINS = 10  # of the reliability diagram
Z95 = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations
LEAST = 2.0**-126  # what a probability counts as in the log loss at least, as in SoftmaxWithLoss


class Judged(NamedTuple):
    """What the metrics need of every sample; arrays (N,).

    actual      its label
    predicted   the class of the highest probability, of several the first
    certainty   the probability of that class
    likelihood  the probability of the label
    rank        how many classes come before the label, the highest probability first
    brier       sum over c of (p[c] - [c is the label])^2
    """

    actual: np.ndarray
    predicted: np.ndarray
    certainty: np.ndarray
    likelihood: np.ndarray
    rank: np.ndarray
    brier: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(N,), whether the prediction is the label."""
        return self.predicted == self.actual


def judge(p: np.ndarray, labels: np.ndarray) -> Judged:
    """Hold probabilities (N, C) to labels (N,), each of which is a class."""
    rows = np.arange(len(p))
    predicted, likelihood = p.argmax(axis=1), p[rows, labels]
    earlier = np.arange(p.shape[1]) < labels[:, None]
    above, equal = p > likelihood[:, None], p == likelihood[:, None]
    rank = (above | (equal & earlier)).sum(axis=1)
    brier = np.square(p).sum(axis=1) - 2 * likelihood + 1
    return Judged(labels.astype(np.int64), predicted, p[rows, predicted], likelihood, rank, brier)


def joined(parts: Sequence[Judged]) -> Judged:
    """All samples of several parts, in order."""
    return Judged(*(np.concatenate(arrays) for arrays in zip(*parts)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """exp(x) / sum of exp(x) over the classes, (N, C)."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), (N, C); rows do not add up to 1."""
    e = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1, e) / (1 + e)


def shares(weights: np.ndarray) -> np.ndarray:
    """Rows (N, C) of numbers from 0 on, divided by their sums; where all are 0, equal shares."""
    if (weights < 0).any():
        raise DataError(f"a probability is {weights.min():.6g}", hint="name other scores: --scores BLOB")
    sums = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, sums, out=np.full_like(weights, 1 / weights.shape[1]), where=sums > 0)


class Proportion(NamedTuple):
    """A part of a whole: hits of total, and the interval in which the true share lies with 95 %."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.hits / self.total


def share(count: int, total: int) -> Proportion:
    """With the interval of Wilson (1927), which holds near 0 and 1 too:

    (f + z^2 / 2n ± z sqrt(f (1 - f) / n + z^2 / 4n^2)) / (1 + z^2 / n),  f = count / total, n = total
    """
    f, extra = count / total, Z95**2 / total
    middle, reach = f + extra / 2, Z95 * math.sqrt(f * (1 - f) / total + extra / (4 * total))
    low, high = (middle - reach) / (1 + extra), (middle + reach) / (1 + extra)
    return Proportion(count, total, low if count else 0.0, high if count < total else 1.0)


def accuracy(judged: Judged) -> Proportion:
    return share(int(judged.right.sum()), len(judged.actual))


def among_first(judged: Judged, k: int) -> Proportion:
    """Samples whose label has one of the k highest probabilities."""
    return share(int((judged.rank < k).sum()), len(judged.actual))


def log_loss(judged: Judged) -> float:
    """The mean of -log(max(p[label], 2^-126))."""
    return float(-np.log(np.maximum(judged.likelihood, LEAST)).mean())


def brier_score(judged: Judged) -> float:
    """The mean over the samples of sum over c of (p[c] - [c is the label])^2: 0 at best, 2 at worst."""
    return float(judged.brier.mean())


def confusion(judged: Judged, classes: int) -> np.ndarray:
    """(C, C), int64: samples of class `row` that were taken for class `column`."""
    cells = judged.actual * classes + judged.predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


class ClassScores(NamedTuple):
    """Arrays (C,); NaN where there is nothing to divide by.

    support    samples of the class
    predicted  samples that were taken for it
    precision  how many of those taken for it are of it
    recall     how many of those of it were taken for it
    f1         2 right / (support + predicted), the harmonic mean of the two
    """

    support: np.ndarray
    predicted: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def by_class(matrix: np.ndarray) -> ClassScores:
    """From a confusion matrix."""
    right, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassScores(
        support,
        predicted,
        _ratio(right, predicted),
        _ratio(right, support),
        _ratio(2 * right, support + predicted),
    )


def _ratio(count: np.ndarray, of: np.ndarray) -> np.ndarray:
    return np.divide(count, of, out=np.full(len(count), np.nan), where=of > 0)


def macro(values: np.ndarray, scores: ClassScores) -> float:
    """The mean of a score over the classes that occur, each of which counts alike; NaN counts 0."""
    return float(np.nan_to_num(values[scores.support > 0]).mean())


class Confused(NamedTuple):
    """Samples of class `actual` were taken for class `predicted` so many times."""

    actual: int
    predicted: int
    times: int


def most_confused(matrix: np.ndarray) -> list[Confused]:
    """The pairs of classes that were confused, the most frequent first."""
    wrong = matrix - np.diag(np.diag(matrix))
    actual, predicted = np.nonzero(wrong)
    counts = wrong[actual, predicted]
    order = np.argsort(-counts, kind="stable")
    return [Confused(*map(int, pair)) for pair in zip(actual[order], predicted[order], counts[order])]


class Calibration(NamedTuple):
    """Certainties beside what became of them.  Bin b holds certainties above b / BINS up to (b + 1) / BINS.

    samples    (BINS,), how many
    certainty  (BINS,), their mean certainty; NaN where there is none
    accuracy   (BINS,), how many of them are right; NaN where there is none
    error      the expected calibration error: sum over b of samples / N * |accuracy - certainty|
    """

    samples: np.ndarray
    certainty: np.ndarray
    accuracy: np.ndarray
    error: float


def calibration(judged: Judged) -> Calibration:
    place = np.clip(np.ceil(judged.certainty * BINS).astype(int) - 1, 0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    certainty = _ratio(np.bincount(place, judged.certainty, BINS), count)
    right = _ratio(np.bincount(place, judged.right, BINS), count)
    error = float(np.nansum(count * np.abs(right - certainty)) / count.sum())
    return Calibration(count, certainty, right, error)


def mistakes(judged: Judged) -> np.ndarray:
    """The samples that were predicted wrongly, those whose label had the lowest probability first."""
    wrong = np.flatnonzero(~judged.right)
    return wrong[np.lexsort((-judged.certainty[wrong], judged.likelihood[wrong]))]


def suspects(judged: Judged, classes: int) -> np.ndarray:
    """The samples whose label may be wrong, the most certain first.

    The net contradicts the label, and its certainty reaches what it gives to samples of the class that it
    says, on average over those that are labelled so.  A class that no label names makes no suspect.

    Source: the thresholds of C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating
    Uncertainty in Dataset Labels", 2021.
    """
    support = np.bincount(judged.actual, minlength=classes)
    usual = _ratio(np.bincount(judged.actual, judged.likelihood, classes), support)
    found = np.flatnonzero(~judged.right & (judged.certainty >= usual[judged.predicted]))
    return found[np.argsort(-judged.certainty[found], kind="stable")]
