"""Boxes: what they share, and what becomes of them in a part of an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.detection.boxes import (
    WHOLE,
    area,
    coverage,
    jaccard,
    marked,
    projected,
    rows,
)

share = st.integers(0, 64).map(lambda k: k / 64)  # whose sums and differences are exact


@st.composite
def boxes(draw, least=0):
    count = draw(st.integers(least, 5))
    spans = [sorted(draw(st.tuples(share, share))) for _ in range(2 * count)]
    corners = [(x[0], y[0], x[1], y[1]) for x, y in zip(spans[::2], spans[1::2])]
    return marked(corners, draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)))


@st.composite
def parts(draw):
    x, y = (sorted(draw(st.tuples(share, share).filter(lambda pair: pair[0] != pair[1]))) for _ in range(2))
    return np.array([x[0], y[0], x[1], y[1]])


@given(boxes(), parts())
def test_boxes_stay_in_the_part(found, part):
    inside = projected(found, part)
    assert (inside.corners >= 0).all() and (inside.corners <= 1).all() and (area(inside.corners) > 0).all()
    assert len(inside.labels) == (coverage(found.corners, part[None]) > 0).sum()
    shared = area(found.corners) * coverage(found.corners, part[None])[:, 0]
    np.testing.assert_allclose(area(inside.corners) * area(part), shared[shared > 0], atol=1e-12)


@given(boxes())
def test_the_whole_image_changes_nothing_and_mirroring_is_its_own_inverse(found):
    solid = found.taken(area(found.corners) > 0)
    for one, other in zip(projected(found, WHOLE), solid):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(found.mirrored().mirrored(), found):
        np.testing.assert_array_equal(one, other)


@given(boxes(1), boxes(1))
def test_shares_agree(some, others):
    one, other = some.corners, others.corners
    np.testing.assert_array_equal(jaccard(one, other), jaccard(other, one).T)
    covered = coverage(one, other)
    assert (jaccard(one, other) <= covered + 1e-12).all() and (covered <= 1).all()
    solid = one[area(one) > 0]
    np.testing.assert_array_equal(np.diag(jaccard(solid, solid)), 1)


def test_numbers_by_hand():
    one, other = (
        np.array([[0, 0, 0.5, 0.5]]),
        np.array([[0.25, 0, 1, 0.5], [0.5, 0, 1, 1], [0.4, 0.4, 0.3, 1]]),
    )
    np.testing.assert_allclose(jaccard(one, other), [[0.25, 0, 0]])  # 1/8 of 1/4 + 3/8 - 1/8
    np.testing.assert_allclose(coverage(one, other), [[0.5, 0, 0]])
    np.testing.assert_allclose(coverage(other, one), [[1 / 3], [0], [0]])


def test_what_a_part_keeps():
    found = marked([(0, 0, 0.5, 1), (0.375, 0, 0.75, 1)], [1, 1])
    part = np.array([0.25, 0, 1, 1])
    np.testing.assert_allclose(projected(found, part).corners, [[0, 0, 1 / 3, 1], [1 / 6, 0, 2 / 3, 1]])
    assert len(projected(found, part, centred=True).labels) == 2  # the middle on the border is inside
    assert len(projected(found, part + [0.01, 0, 0, 0], centred=True).labels) == 1
    assert len(projected(found, part, least_share=0.5).labels) == 1  # no more than half is too little
    assert len(projected(found, part, least_share=0.49).labels) == 2


def test_objects_stand_by_label_and_are_numbered():
    given = marked([[k, 0, 1, 1] for k in range(4)], [2, 1, 2, 1], [True, False, False, False])
    assert given.labels.tolist() == [2, 1, 2, 1] and given.instances.tolist() == [0, 0, 1, 1]
    found = given.grouped()
    assert found.labels.tolist() == [2, 2, 1, 1] and found.instances.tolist() == [0, 1, 0, 1]
    assert found.corners[:, 0].tolist() == [0, 2, 1, 3] and found.difficult.tolist() == [True, *[False] * 3]


def test_rows_of_a_batch():
    nothing = marked([], [])
    assert rows([nothing, nothing]).tolist() == [[[[-1.0] * 8]]]
    table = rows([nothing, marked([[0, 0.25, 0.5, 1]] * 2, [3, 3], [True, False])])
    assert table.shape == (1, 1, 2, 8)
    assert table[0, 0].tolist() == [[1, 3, 0, 0, 0.25, 0.5, 1, 1], [1, 3, 1, 0, 0.25, 0.5, 1, 0]]


@pytest.mark.parametrize(
    "corners", [[[0.5, 0, 0.2, 1]], [[0, 0.5, 1, 0.5]], [[1.5, 0, 2, 1]], [[-1, -1, 0, 0]]]
)
def test_what_is_not_in_the_image_goes(corners):
    assert not len(projected(marked(corners, [1]), WHOLE).labels)
