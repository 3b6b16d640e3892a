"""Boxes and links to rectangles and curves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from .coordinates import coordinates
from .order import Link, Rows

DIRECTIONS = ("TB", "BT", "LR", "RL")  # from top to bottom, ...

ROW_GAP = 26.0
STEEP = 0.07  # what is added to the gap below a row for every unit that a link moves sideways
WIDEST_GAP = 90.0
SIDE_GAP = 22.0
BEND = 4.0  # the width of a link among boxes

Point = tuple[float, float]


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


def lay_out(sizes: Sequence[tuple[float, float]], links: Sequence[Link], direction: str = "TB") -> Layout:
    """A place for every box, of which sizes are given as (width, height), and a curve for every link."""
    across = direction in ("LR", "RL")
    turned = [(height, width) if across else (width, height) for width, height in sizes]
    layout = _from_above(turned, links)
    if across:
        layout = _mapped(layout, lambda x, y: (y, x), layout.height, layout.width)
    if direction == "BT":
        layout = _mapped(layout, lambda x, y: (x, layout.height - y), layout.width, layout.height)
    if direction == "RL":
        layout = _mapped(layout, lambda x, y: (layout.width - x, y), layout.width, layout.height)
    return layout


def _from_above(sizes: Sequence[tuple[float, float]], links: Sequence[Link]) -> Layout:
    rows = Rows(len(sizes), links)
    nodes = [node for row in rows.rows for node in row]
    width_of = {node: BEND if rows.is_bend(node) else sizes[node][0] for node in nodes}
    middle = coordinates(rows, width_of, SIDE_GAP) if nodes else {}
    left = min((middle[n] - width_of[n] / 2 for n in nodes), default=0.0)
    right = max((middle[n] + width_of[n] / 2 for n in nodes), default=0.0)
    middle = {node: x - left for node, x in middle.items()}
    top_of: dict[int, float] = {}  # edges of the row that a node stands in
    bottom_of: dict[int, float] = {}
    y = 0.0
    for row in rows.rows:
        height = max((sizes[node][1] for node in row if not rows.is_bend(node)), default=0.0)
        moves = [abs(middle[node] - middle[other]) for node in row for other in rows.below[node]]
        for node in row:
            top_of[node], bottom_of[node] = y, y + height
        bottom = y + height
        y = bottom + min(ROW_GAP + STEEP * max(moves, default=0.0), WIDEST_GAP)
    boxes = []
    for node, (width, height) in enumerate(sizes):
        centre = (top_of[node] + bottom_of[node]) / 2
        boxes.append(Rectangle(middle[node] - width / 2, centre - height / 2, width, height))
    curves = [_curve(route, middle, top_of, bottom_of, boxes) for route in rows.routes]
    return Layout(right - left, bottom if nodes else 0.0, boxes, curves)


def _curve(route: list[int], middle, top_of, bottom_of, boxes: list[Rectangle]) -> Curve:
    """Straight through its rows, and from row to row with an end straight down."""
    first, last = route[0], route[-1]
    points = [(middle[first], boxes[first].y + boxes[first].height)]
    for node in route:
        if node != first:
            points.append((middle[node], top_of[node]))
        if node != last:
            points.append((middle[node], bottom_of[node]))
    points.append((middle[last], boxes[last].y))
    pieces = []
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        half = (y0 + y1) / 2
        if abs(x1 - x0) + abs(y1 - y0) > 1e-3:  # not where a box is as high as its row
            pieces.append(((x0, half), (x1, half), (x1, y1)))
    return Curve(points[0], pieces)


def _mapped(layout: Layout, move, width: float, height: float) -> Layout:
    boxes = []
    for x, y, w, h in layout.boxes:
        (x0, y0), (x1, y1) = move(x, y), move(x + w, y + h)
        boxes.append(Rectangle(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)))
    curves = [
        Curve(move(*start), [(move(*a), move(*b), move(*end)) for a, b, end in pieces])
        for start, pieces in layout.curves
    ]
    return Layout(width, height, boxes, curves)
