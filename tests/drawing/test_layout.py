"""Rows, places and curves: what holds for every graph, and what small ones look like."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.drawing import coordinates as module
from minicaffe.drawing.columns import cuts, lanes
from minicaffe.drawing.coordinates import coordinates
from minicaffe.drawing.layout import DIRECTIONS, SIDE_GAP, lay_out
from minicaffe.drawing.order import Rows, ranks

INCEPTION = [(0, 1), (0, 2), (0, 3), (2, 4), (3, 5), (1, 6), (4, 6), (5, 6)]


@st.composite
def graphs(draw):
    """Sizes of boxes, and links from lower to higher numbers."""
    count = draw(st.integers(1, 12))
    size = st.tuples(st.integers(20, 90), st.integers(10, 40))
    sizes = draw(st.lists(size, min_size=count, max_size=count))
    pairs = list(combinations(range(count), 2))
    links = draw(st.lists(st.sampled_from(pairs), max_size=18, unique=True)) if pairs else []
    return sizes, links


def crossings_by_pairs(rows: Rows) -> int:
    """The definition: two links between the same rows whose ends are in opposite orders."""
    total = 0
    for upper, lower in pairwise(rows.rows):
        pieces = [(upper.index(u), lower.index(v)) for u in upper for v in rows.below[u]]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(pieces, 2))
    return total


@given(graphs())
def test_rows_hold_everything_and_links_join_neighbours(graph):
    sizes, links = graph
    rows = Rows(len(sizes), links)
    row_of = {node: i for i, row in enumerate(rows.rows) for node in row}
    assert set(range(len(sizes))) <= set(row_of) and len(row_of) == sum(map(len, rows.rows))
    for (source, target), route in zip(links, rows.routes):
        assert (route[0], route[-1]) == (source, target) and all(map(rows.is_bend, route[1:-1]))
        assert [row_of[node] for node in route] == list(range(row_of[source], row_of[target] + 1))
    assert rows.crossings() == crossings_by_pairs(rows)


def test_sources_stand_above_their_first_reader():
    assert ranks(4, [(0, 1), (1, 3), (2, 3)]) == [0, 1, 1, 2]
    assert ranks(2, []) == [0, 0] and ranks(0, []) == []


def test_crossings_are_undone():
    assert Rows(4, [(0, 3), (1, 2)]).crossings() == 0
    assert Rows(7, INCEPTION).crossings() == 0
    assert Rows(6, [(a, b) for a in range(3) for b in range(3, 6)]).crossings() == 9


@settings(deadline=None, max_examples=40)
@given(graphs(), st.sampled_from(DIRECTIONS))
def test_boxes_lie_apart_inside_the_picture_and_links_lead_on(graph, direction):
    sizes, links = graph
    layout = lay_out(sizes, links, direction)
    check(layout, sizes, links)
    axis, sign = {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}[direction]
    for curve in layout.curves:
        points = [curve.start, *(end for _, _, end in curve.pieces)]
        steps = [sign * (b[axis] - a[axis]) for a, b in pairwise(points)]
        assert all(step > -1e-6 for step in steps), "a link turns back"


def check(layout, sizes, links):
    """Boxes have their sizes and lie apart, all is inside the picture, and links join their boxes."""
    for (x, y, width, height), size in zip(layout.boxes, sizes):
        assert (width, height) == pytest.approx(size)
        assert x >= -1e-6 and y >= -1e-6
        assert x + width <= layout.width + 1e-6 and y + height <= layout.height + 1e-6
    for a, b in combinations(layout.boxes, 2):
        sideways = max(a.x - b.x - b.width, b.x - a.x - a.width)
        assert max(sideways, a.y - b.y - b.height, b.y - a.y - a.height) > SIDE_GAP - 1e-6
    for (source, target), curve in zip(links, layout.curves):
        points = [curve.start, *(end for _, _, end in curve.pieces)]
        assert all(-1e-6 <= x <= layout.width + 1e-6 for x, _ in points)
        assert all(-1e-6 <= y <= layout.height + 1e-6 for _, y in points)
        for point, node in ((points[0], source), (points[-1], target)):
            x, y, width, height = layout.boxes[node]
            assert x - 1e-6 <= point[0] <= x + width + 1e-6 and y - 1e-6 <= point[1] <= y + height + 1e-6


@settings(deadline=None, max_examples=25)
@given(graphs(), st.sampled_from(DIRECTIONS), st.integers(2, 5))
def test_columns_hold_all_and_links_lead_around_the_boxes(graph, direction, columns):
    sizes, links = graph
    layout = lay_out(sizes, links, direction, columns)
    check(layout, sizes, links)
    for curve in layout.curves:
        points = [curve.start, *(end for _, _, end in curve.pieces)]
        for (x0, y0), (x1, y1) in pairwise(points):
            level, upright = abs(y0 - y1) < 1e-6, abs(x0 - x1) < 1e-6
            for box in layout.boxes if level != upright else ():
                inside_x = min(max(x0, x1), box.x + box.width) - max(min(x0, x1), box.x)
                inside_y = min(max(y0, y1), box.y + box.height) - max(min(y0, y1), box.y)
                assert min(inside_x, inside_y) < 1e-6, "a link leads through a box"


def test_cuts_are_made_where_few_lines_lead_on():
    rank = ranks(7, INCEPTION)
    assert rank == [0, 1, 1, 1, 2, 2, 3] and lanes(rank, INCEPTION) == [1, 3, 3, 0]
    assert cuts([10.0] * 6, [1, 1, 5, 1, 1, 0], 2) == [1]
    assert cuts([10.0] * 6, [1, 1, 1, 1, 1, 0], 3) == [1, 3]
    assert cuts([10.0] * 3, [1, 1, 0], 9) == [0, 1] and cuts([], [], 2) == cuts([5.0], [0], 3) == []


def test_columns_of_a_chain():
    """Three columns from left to right, as high as each other, and links around corners between them."""
    sizes, links = [(40.0, 20.0)] * 9, [(i, i + 1) for i in range(8)]
    layout = lay_out(sizes, links, columns=3)
    lefts = [box.x for box in layout.boxes]
    assert len(set(lefts)) == 3 and lefts == sorted(lefts)
    assert layout.boxes[3].y == layout.boxes[6].y and layout.boxes[3].x - layout.boxes[0].x > 40 + SIDE_GAP
    assert [len(curve.pieces) for curve in layout.curves] == [1, 1, 11, 1, 1, 11, 1, 1]


def test_directions_are_one_picture_turned():
    sizes = [(40, 20), (30, 10), (30, 10)]
    links = [(0, 1), (0, 2)]
    down, up = (lay_out(sizes, links, d) for d in ("TB", "BT"))
    assert [box.y for box in up.boxes] == [down.height - box.y - box.height for box in down.boxes]
    right, left = (lay_out(sizes, links, d) for d in ("LR", "RL"))
    assert [box.x for box in left.boxes] == [right.width - box.x - box.width for box in right.boxes]
    assert (right.boxes[0].x, left.curves[0].start[0]) == (0, left.boxes[0].x)


def test_chains_are_straight_and_forks_symmetric():
    layout = lay_out([(40, 20)] * 7, INCEPTION)
    middles = [box.x + box.width / 2 for box in layout.boxes]
    assert middles[2] == pytest.approx(middles[4]) and middles[3] == pytest.approx(middles[5])
    three = sorted(middles[1:4])
    assert middles[0] == pytest.approx(three[1]) == pytest.approx(middles[6])
    two = lay_out([(40, 20)] * 3, [(0, 1), (0, 2)])
    assert two.boxes[0].x == pytest.approx((two.boxes[1].x + two.boxes[2].x) / 2)


def test_a_long_link_is_straight():
    layout = lay_out([(40, 20)] * 6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])
    x = [end[0] for _, _, end in layout.curves[-1].pieces]
    assert len({round(value, 3) for value in x[1:-2]}) == 1


def test_no_boxes():
    assert lay_out([], []) == (0.0, 0.0, [], [])


def test_a_planted_fault_is_seen(monkeypatch):
    """Without the conditions on distances, boxes lie on each other, and the check says so."""
    where = "minicaffe.drawing.layout.coordinates"
    monkeypatch.setattr(where, lambda rows, sizes, gap, column: dict.fromkeys(sizes, 0.0))
    with pytest.raises(AssertionError):
        test_boxes_lie_apart_inside_the_picture_and_links_lead_on.hypothesis.inner_test(
            ([(40, 20)] * 3, [(0, 1), (0, 2)]), "TB"
        )


def test_the_places_are_the_best():
    """No single node can move and make the links shorter."""
    rows = Rows(7, INCEPTION)
    sizes = {node: 40.0 for row in rows.rows for node in row}
    found = coordinates(rows, sizes, 10.0)

    def cost(x):
        links = [(upper, lower) for upper in x for lower in rows.below[upper]]
        return sum(module._weight(rows, u, v) * abs(x[u] - x[v]) for u, v in links)

    def fits(x):
        return all(x[b] - x[a] >= 50 - 1e-6 for row in rows.rows for a, b in pairwise(row))

    assert fits(found)
    for node in found:
        for step in (-1.0, 1.0):
            moved = {**found, node: found[node] + step}
            assert not fits(moved) or cost(moved) >= cost(found) - 1e-6
