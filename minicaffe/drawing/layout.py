"""Boxes and links to rectangles and curves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .columns import cuts, lanes, page_like
from .coordinates import coordinates
from .order import Link, Rows, ranks

DIRECTIONS = ("TB", "BT", "LR", "RL")  # from top to bottom, ...

UPRIGHT, LEVEL = (850.0, 1000.0), (1900.0, 1250.0)  # pages for data that flow down, and sideways
ROW_GAP = 26.0
STEEP = 0.07  # what is added to the gap below a row for every unit that a link moves sideways
WIDEST_GAP = 90.0
SIDE_GAP = 22.0
BEND = 4.0  # the width of a link among boxes
LANE = 9.0  # between links that lead from one column to the next side by side
CORNER = 5.0  # the radius of their corners

Point = tuple[float, float]
Sizes = Mapping[int, tuple[float, float]]


class Rectangle(NamedTuple):
    """The corner at the top left, and the size."""

    x: float
    y: float
    width: float
    height: float


class Curve(NamedTuple):
    """A link: where it begins, and cubic pieces as (first control, second control, end)."""

    start: Point
    pieces: list[tuple[Point, Point, Point]]


class Layout(NamedTuple):
    """A picture from (0, 0) to (width, height)."""

    width: float
    height: float
    boxes: list[Rectangle]
    curves: list[Curve]


def lay_out(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[Link],
    direction: str = "TB",
    columns: int | None = None,
) -> Layout:
    """A place for every box, of which sizes are given as (width, height), and a curve for every link.

    columns  into how many to cut what is long (bands, if data flows sideways); if left out, as many as bring
             it nearest to a page, and one if it is no longer than that
    """
    across = direction in ("LR", "RL")
    turned = [(height, width) if across else (width, height) for width, height in sizes]
    layout = _from_above(turned, links, columns, LEVEL[::-1] if across else UPRIGHT)
    if across:
        layout = _mapped(layout, lambda x, y: (y, x), layout.height, layout.width)
    if direction == "BT":
        layout = _mapped(layout, lambda x, y: (x, layout.height - y), layout.width, layout.height)
    if direction == "RL":
        layout = _mapped(layout, lambda x, y: (layout.width - x, y), layout.width, layout.height)
    return layout


class _Column(NamedTuple):
    """Rows one below the other: the middle of every node along its row, and the edges of that row."""

    middle: dict[int, float]
    top: dict[int, float]
    bottom: dict[int, float]
    right: float
    end: float


def _from_above(
    sizes: Sequence[tuple[float, float]], links: Sequence[Link], columns: int | None, page: Point
) -> Layout:
    rows = Rows(len(sizes), links, _cuts(sizes, links, columns, page))
    size_of = {n: (BEND, 0.0) if rows.is_bend(n) else sizes[n] for row in rows.rows for n in row}
    stacks: list[_Column] = []
    left = 0.0
    limits = [0, *rows.turns, len(rows.rows) - 1]  # a row of turns belongs to two columns
    for first, last in itertools.pairwise(limits):
        incoming = len(rows.rows[first]) if first else 0  # that come in from the left
        if first:
            left += _between(incoming)
        stacks.append(_column(rows, rows.rows[first : last + 1], size_of, left, incoming * LANE))
        left = stacks[-1].right
    boxes: list[Rectangle] = []
    for node, (width, height) in enumerate(sizes):
        column = next(column for column in stacks if node in column.middle)
        centre = (column.top[node] + column.bottom[node]) / 2
        boxes.append(Rectangle(column.middle[node] - width / 2, centre - height / 2, width, height))
    curves = [_curve(route, rows, stacks, boxes) for route in rows.routes]
    ends = [column.end + LANE * len(rows.rows[turn]) for column, turn in zip(stacks, rows.turns)]
    return Layout(left, max([*ends, stacks[-1].end] if boxes else [0.0]), boxes, curves)


def _cuts(
    sizes: Sequence[tuple[float, float]], links: Sequence[Link], columns: int | None, page: Point
) -> list[int]:
    """The rows behind which a column ends."""
    rank = ranks(len(sizes), links)
    heights, widths = ([0.0] * (max(rank, default=-1) + 1) for _ in range(2))
    for row, (width, height) in zip(rank, sizes):
        heights[row] = max(heights[row], height + ROW_GAP)
        widths[row] += width + SIDE_GAP
    passing = lanes(rank, links)
    if columns is not None:
        return cuts(heights, passing, columns)
    return page_like(heights, widths, [_between(count) for count in passing], passing, page)


def _between(lanes: int) -> float:
    """The width between two columns that so many links join."""
    return 2 * SIDE_GAP + max(lanes - 1, 0) * LANE


def _column(rows: Rows, stack: list[list[int]], size_of: Sizes, left: float, y: float) -> _Column:
    """Places from (left, y) on to the right and down."""
    nodes = [node for row in stack for node in row]
    if not nodes:
        return _Column({}, {}, {}, left, y)
    found = coordinates(rows, {n: size_of[n][0] for n in nodes}, SIDE_GAP, stack)
    shift = left - min(found[n] - size_of[n][0] / 2 for n in nodes)
    middle = {node: x + shift for node, x in found.items()}
    top: dict[int, float] = {}
    bottom: dict[int, float] = {}
    end = y
    for row in stack:
        end = y + max((size_of[node][1] for node in row), default=0.0)
        for node in row:
            top[node], bottom[node] = y, end
        moves = [abs(middle[n] - middle[other]) for n in row for other in rows.below[n] if other in middle]
        y = end + min(ROW_GAP + STEEP * max(moves, default=0.0), WIDEST_GAP)
    return _Column(middle, top, bottom, max(middle[n] + size_of[n][0] / 2 for n in nodes), end)


def _curve(route: list[int], rows: Rows, stacks: list[_Column], boxes: list[Rectangle]) -> Curve:
    """Straight through its rows, from row to row with an end straight down, and around corners to the next
    column."""
    first, last = route[0], route[-1]
    at = next(i for i, column in enumerate(stacks) if first in column.middle)
    point = (stacks[at].middle[first], boxes[first].y + boxes[first].height)
    start, pieces = point, []

    def lead_to(end: Point) -> None:
        nonlocal point
        half = (point[1] + end[1]) / 2
        if abs(end[0] - point[0]) + abs(end[1] - point[1]) > 1e-3:  # not where a box is as high as its row
            pieces.append(((point[0], half), (end[0], half), end))
            point = end

    for node in route:
        column = stacks[at]
        if node != first:
            lead_to((column.middle[node], column.top[node]))
        if at + 1 < len(stacks) and node in stacks[at + 1].middle:
            end = (stacks[at + 1].middle[node], stacks[at + 1].top[node])
            turn = rows.rows[rows.turns[at]]
            pieces += _round_corners(_detour(point, end, column, turn[::-1].index(node), len(turn)))
            point, at = end, at + 1
        elif node != last:
            lead_to((column.middle[node], column.bottom[node]))
    lead_to((stacks[at].middle[last], boxes[last].y))
    return Curve(start, pieces)


def _detour(start: Point, end: Point, column: _Column, lane: int, count: int) -> list[Point]:
    """Corners from below a column to above the next.  The rightmost link has lane 0, turns first, and so is
    not crossed."""
    down, up = start[1] + (lane + 1) * LANE, end[1] - (count - lane) * LANE
    across = column.right + SIDE_GAP + lane * LANE
    return [start, (start[0], down), (across, down), (across, up), (end[0], up), end]


def _round_corners(points: list[Point]) -> list[tuple[Point, Point, Point]]:
    """Straight pieces along the points, all of them level or upright, and a round one at each corner."""
    pieces = []
    point = points[0]
    for before, corner, after in zip(points, points[1:], points[2:]):
        inwards, outwards = _towards(corner, before), _towards(corner, after)
        pieces += [(point, inwards, inwards), (corner, corner, outwards)]
        point = outwards
    return [*pieces, (point, points[-1], points[-1])]


def _towards(corner: Point, other: Point) -> Point:
    """Where the round corner meets the straight line; never beyond the middle of that."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(CORNER, length / 2) / length if length else 0.0
    return corner[0] + share * dx, corner[1] + share * dy


def _mapped(layout: Layout, move: Callable[[float, float], Point], width: float, height: float) -> Layout:
    boxes = []
    for x, y, w, h in layout.boxes:
        (x0, y0), (x1, y1) = move(x, y), move(x + w, y + h)
        boxes.append(Rectangle(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)))
    curves = [
        Curve(move(*start), [(move(*a), move(*b), move(*end)) for a, b, end in pieces])
        for start, pieces in layout.curves
    ]
    return Layout(width, height, boxes, curves)
