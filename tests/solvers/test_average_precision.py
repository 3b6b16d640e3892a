"""Average precision: numbers worked out by hand, and what holds for any detections."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.solvers.average_precision import VERSIONS, Verdicts, average_precision, mean

each_version = pytest.mark.parametrize("version", VERSIONS)

# Right or not from the highest score down, objects -> Integral, MaxIntegral, 11point.
BY_HAND = [
    # precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1
    ([1, 0, 1], 2, 1 / 2 + 2 / 3 / 2, 1 / 2 + 2 / 3 / 2, (6 * 1 + 5 * 2 / 3) / 11),
    # precisions 0, 1/2, 2/3 at recalls 0, 1/4, 1/2: the second height is 2/3 from either
    ([0, 1, 1], 4, 1 / 2 / 4 + 2 / 3 / 4, 2 / 3 / 2, 6 * 2 / 3 / 11),
    # one of ten objects, at once: recalls 0 and 0.1
    ([1], 10, 0.1, 0.1, 2 / 11),
    ([0, 0, 0], 3, 0, 0, 0),
    ([], 3, 0, 0, 0),
    ([0, 0], 0, 0, 0, 0),
]


@pytest.mark.parametrize("right, objects, integral, highest, points", BY_HAND)
def test_by_hand(right, objects, integral, highest, points):
    wanted = dict(zip(VERSIONS, (integral, highest, points)))
    for version in VERSIONS:
        got = average_precision(np.array(right, float), objects, version)
        assert got == pytest.approx(wanted[version], abs=1e-12), version


@each_version
@given(objects=st.integers(1, 30), misses=st.integers(0, 5))
def test_perfect_detections_give_1(version, objects, misses):
    """Boxes that are wrong change nothing behind all that are right."""
    right = np.array([1] * objects + [0] * misses, float)
    assert average_precision(right, objects, version) == pytest.approx(1)


@each_version
@given(right=st.lists(st.booleans(), max_size=20), more=st.integers(0, 5))
def test_bounds(version, right, more):
    """It is between 0 and 1; a wrong box in front never helps, and MaxIntegral is never below Integral."""
    right, objects = np.array(right, float), sum(right) + more
    value = average_precision(right, objects, version)
    assert 0 <= value <= 1 + 1e-12
    assert average_precision(np.insert(right, 0, 0), objects, version) <= value + 1e-12
    assert value <= 1 or version != "Integral"
    least, most = (average_precision(right, objects, v) for v in ("Integral", "MaxIntegral"))
    assert least <= most + 1e-12


def batch(*boxes, counts) -> np.ndarray:
    """Rows as DetectionEvaluate writes them."""
    return np.array([(-1, c, n, -1, -1) for c, n in counts.items()] + list(boxes), float)[None, None]


def test_over_batches():
    """Counts add up, boxes are sorted across batches, and those neither right nor wrong are left out."""
    verdicts = Verdicts()
    verdicts.add(batch((0, 1, 0.5, 1, 0), (0, 1, 0.9, 0, 0), (0, 2, 0.7, 0, 1), counts={1: 1, 2: 0, 3: 1}))
    verdicts.add(batch((0, 1, 0.8, 0, 1), (1, 1, 0.6, 1, 0), (1, 2, 0.9, 1, 0), counts={1: 1, 2: 1, 3: 0}))
    found = verdicts.of_classes("Integral")
    assert found == {1: pytest.approx((1 / 2 + 2 / 3) / 2), 2: 1, 3: 0}
    assert mean(found) == pytest.approx((7 / 12 + 1) / 3)


def test_classes_without_objects_are_left_out():
    verdicts = Verdicts()
    verdicts.add(batch((0, 2, 0.9, 0, 1), counts={1: 0, 2: 0}))
    assert verdicts.of_classes("Integral") == Verdicts().of_classes("Integral") == {}
    assert math.isnan(mean({}))


@each_version
@given(st.data())
def test_order_of_images_does_not_matter(version, data):
    """As long as no two scores are equal."""
    count = data.draw(st.integers(1, 12))
    scores = data.draw(st.permutations(range(count)))
    batches = [
        batch((i, 1, score, right := data.draw(st.booleans()), not right), counts={1: 1})
        for i, score in enumerate(scores)
    ]
    results = []
    for some in (batches, data.draw(st.permutations(batches))):
        verdicts = Verdicts()
        for rows in some:
            verdicts.add(rows)
        results.append(verdicts.of_classes(version))
    assert results[0] == results[1]
