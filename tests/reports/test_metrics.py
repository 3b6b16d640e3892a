"""Metrics against closed forms, cases worked out by hand, and definitions written out sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minicaffe.errors import DataError
from minicaffe.reports import metrics

NAN = math.nan
# Three classes; 4 of 6 are right.
P = np.array(
    [
        [0.7, 0.2, 0.1],  # 0: right
        [0.6, 0.3, 0.1],  # 0: right
        [0.1, 0.8, 0.1],  # 0: taken for 1
        [0.2, 0.5, 0.3],  # 1: right
        [0.0, 0.9, 0.1],  # 2: taken for 1
        [0.1, 0.2, 0.7],  # 2: right
    ]
)
LABELS = np.array([0, 0, 0, 1, 2, 2])
JUDGED = metrics.judge(P, LABELS)


@st.composite
def predictions(draw):
    """Probabilities of 1 to 30 samples of 2 to 7 classes, with ties, and labels."""
    n, c = draw(st.integers(1, 30)), draw(st.integers(2, 7))
    weights = draw(arrays(float, (n, c), elements=st.integers(0, 4).map(float)))
    labels = draw(arrays(np.int64, n, elements=st.integers(0, c - 1)))
    return metrics.shares(weights), labels


def test_what_is_kept_of_a_sample():
    np.testing.assert_array_equal(JUDGED.predicted, [0, 0, 1, 1, 1, 2])
    np.testing.assert_array_equal(JUDGED.certainty, [0.7, 0.6, 0.8, 0.5, 0.9, 0.7])
    np.testing.assert_array_equal(JUDGED.likelihood, [0.7, 0.6, 0.1, 0.5, 0.1, 0.7])
    np.testing.assert_array_equal(JUDGED.rank, [0, 0, 1, 0, 1, 0])
    assert JUDGED.brier[0] == pytest.approx(0.3**2 + 0.2**2 + 0.1**2)


def test_numbers_worked_out_by_hand():
    accuracy = metrics.accuracy(JUDGED)
    assert (accuracy.hits, accuracy.total, accuracy.value) == (4, 6, pytest.approx(2 / 3))
    assert metrics.among_first(JUDGED, 2).hits == 6
    assert metrics.log_loss(JUDGED) == pytest.approx(-math.log(0.7 * 0.6 * 0.1 * 0.5 * 0.1 * 0.7) / 6)
    matrix = metrics.confusion(JUDGED, 3)
    np.testing.assert_array_equal(matrix, [[2, 1, 0], [0, 1, 0], [0, 1, 1]])
    scores = metrics.by_class(matrix)
    np.testing.assert_allclose(scores.precision, [1, 1 / 3, 1])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1, 1 / 2])
    np.testing.assert_allclose(scores.f1, [4 / 5, 1 / 2, 2 / 3])
    assert metrics.macro(scores.f1, scores) == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert metrics.most_confused(matrix) == [(0, 1, 1), (2, 1, 1)]
    np.testing.assert_array_equal(metrics.mistakes(JUDGED), [4, 2])


def test_wilson_interval():
    """Published values (Wilson 1927, Agresti and Coull 1998), and the ends, which stay within 0 and 1."""
    assert metrics.share(81, 263)[2:] == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert metrics.share(15, 148)[2:] == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert metrics.share(0, 10)[2:] == pytest.approx((0, metrics.Z95**2 / (10 + metrics.Z95**2)))
    assert metrics.share(10, 10)[2:] == pytest.approx((10 / (10 + metrics.Z95**2), 1))


@given(st.integers(1, 10**6), st.data())
def test_the_ends_of_the_interval_are_where_a_test_would_begin_to_doubt(total, data):
    """At either end f lies Z95 standard deviations from the share there."""
    hits = data.draw(st.integers(0, total))
    found = metrics.share(hits, total)
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        if 0 < end < 1:
            assert abs(found.value - end) == pytest.approx(metrics.Z95 * math.sqrt(end * (1 - end) / total))


@given(predictions())
def test_against_definitions_written_out(case):
    p, labels = case
    n, c = p.shape
    judged = metrics.judge(p, labels)
    order = [sorted(range(c), key=lambda k: (-row[k], k)) for row in p]  # the first of equals first
    np.testing.assert_array_equal(judged.predicted, [row[0] for row in order])
    for k in (1, 2, 5):
        hits = sum(labels[i] in order[i][:k] for i in range(n))
        assert metrics.among_first(judged, k).hits == hits
    truth = np.eye(c)[labels]
    assert metrics.brier_score(judged) == pytest.approx(np.mean(((p - truth) ** 2).sum(1)))
    likely = [max(p[i, labels[i]], 2.0**-126) for i in range(n)]
    assert metrics.log_loss(judged) == pytest.approx(-sum(map(math.log, likely)) / n)
    matrix = metrics.confusion(judged, c)
    scores = metrics.by_class(matrix)
    for k in range(c):
        of, taken = labels == k, judged.predicted == k
        both = (of & taken).sum()
        assert (scores.support[k], scores.predicted[k]) == (of.sum(), taken.sum())
        for found, hits, whole in (
            (scores.recall[k], both, of.sum()),
            (scores.precision[k], both, taken.sum()),
            (scores.f1[k], 2 * both, of.sum() + taken.sum()),
        ):
            assert found == pytest.approx(hits / whole if whole else NAN, nan_ok=True)
        for other in range(c):
            assert matrix[k, other] == (of & (judged.predicted == other)).sum()
    assert matrix.sum() == n and metrics.accuracy(judged).hits == np.trace(matrix)


@given(predictions())
def test_calibration_written_out(case):
    judged = metrics.judge(*case)
    found = metrics.calibration(judged)
    error = 0.0
    for b in range(metrics.BINS):
        low, high = b / metrics.BINS, (b + 1) / metrics.BINS
        inside = [i for i, x in enumerate(judged.certainty) if low < x <= high or (b == 0 and x == 0)]
        assert found.samples[b] == len(inside)
        if inside:
            certain, right = judged.certainty[inside].mean(), judged.right[inside].mean()
            assert (found.certainty[b], found.accuracy[b]) == pytest.approx((certain, right))
            error += len(inside) / len(judged.actual) * abs(certain - right)
        else:
            assert math.isnan(found.certainty[b]) and math.isnan(found.accuracy[b])
    assert found.error == pytest.approx(error)


def test_who_is_sure_and_right_is_calibrated_and_who_is_sure_and_wrong_is_not():
    p = np.tile([1.0, 0.0], (10, 1))
    assert metrics.calibration(metrics.judge(p, np.zeros(10, int))).error == 0
    assert metrics.calibration(metrics.judge(p, np.ones(10, int))).error == 1
    # seven of ten right at 0.7: perfect
    p = np.tile([0.7, 0.3], (10, 1))
    assert metrics.calibration(metrics.judge(p, np.array([0] * 7 + [1] * 3))).error == pytest.approx(0)


def test_a_class_that_never_occurs_and_one_that_is_never_predicted():
    """Class 2 does not occur, class 1 is never predicted, class 3 neither."""
    matrix = np.array([[3, 0, 1, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = metrics.by_class(matrix)
    np.testing.assert_allclose(scores.precision, [3 / 5, NAN, 0, NAN])
    np.testing.assert_allclose(scores.recall, [3 / 4, 0, NAN, NAN])
    np.testing.assert_allclose(scores.f1, [6 / 9, 0, 0, NAN])
    assert metrics.macro(scores.precision, scores) == pytest.approx((3 / 5 + 0) / 2)  # of those that occur


def test_softmax_and_sigmoid_of_large_scores():
    scores = np.array([[1000.0, 0, -1000], [-1000, -1000, -1000]])
    np.testing.assert_allclose(metrics.softmax(scores), [[1, 0, 0], [1 / 3] * 3])
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(metrics.sigmoid(scores), [[1, 0.5, 0], [0, 0, 0]])
    np.testing.assert_allclose(metrics.shares(metrics.sigmoid(scores)), [[2 / 3, 1 / 3, 0], [1 / 3] * 3])
    with pytest.raises(DataError, match=r"a probability is -0\.5"):
        metrics.shares(np.array([[1.5, -0.5]]))


def test_parts_joined_are_the_whole():
    parts = metrics.joined([metrics.judge(P[:4], LABELS[:4]), metrics.judge(P[4:], LABELS[4:])])
    for found, wanted in zip(parts, JUDGED):
        np.testing.assert_array_equal(found, wanted)


def test_planted_labels_are_suspected():
    """200 samples whose class the net knows with 0.9; the labels of five are turned.  Unsure mistakes are not
    suspected, nor those whose class the net is used to name with more."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    p = np.full((200, 4), 0.1 / 3)
    p[np.arange(200), truth] = 0.9
    labels = truth.copy()
    turned = [3, 50, 77, 120, 199]
    labels[turned] = (truth[turned] + 1) % 4
    unsure = 10
    p[unsure], labels[unsure] = [0.4, 0.3, 0.2, 0.1], 1
    judged = metrics.judge(p, labels)
    assert sorted(metrics.suspects(judged, 4)) == turned
    assert set(metrics.mistakes(judged)) == {*turned, unsure}
    assert not len(metrics.suspects(metrics.judge(p, p.argmax(1)), 4))


def test_a_class_that_no_label_names_makes_no_suspect():
    judged = metrics.judge(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([0, 0]))
    assert not len(metrics.suspects(judged, 2))
