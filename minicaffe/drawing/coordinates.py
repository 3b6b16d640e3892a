"""Where everything stands in its row.

After Gansner, Koutsofios, North and Vo (1993): the places x that, with at least so much between neighbours,

    minimize  sum over links (u, v) of  weight * |x_u - x_v|

a linear programme.  Between bends the weight is high, so that long links are straight, and so it is where
one node alone follows on another, so that links spread out and join at one place.  Many places can be as
good: of the leftmost and the rightmost of them the middle is taken, which is as good too, and symmetric.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from .order import Rows

STRAIGHT = 8.0  # weight of a link between two bends; 1 is that of others
ALONE = 4.0  # times as much for a link with no other beside it at either end
NUDGE = 1e-3  # to the left or the right: too little to make up for any link


def coordinates(
    rows: Rows, sizes: Mapping[int, float], gap: float, column: Sequence[Sequence[int]] | None = None
) -> dict[int, float]:
    """The middle of every node and bend; sizes are those along the row, `gap` is what lies between
    neighbours.  `column` is a run of the rows, all of them if left out."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    stack = rows.rows if column is None else column
    nodes = [node for row in stack for node in row]
    place = {node: i for i, node in enumerate(nodes)}
    links = [(upper, lower) for row in stack[:-1] for upper in row for lower in rows.below[upper]]
    pairs = [pair for row in stack for pair in itertools.pairwise(row)]
    # Unknowns: the places, then the length of every link.  Conditions: x_left - x_right is at most minus
    # their distance; x_u - x_v and x_v - x_u are at most the length.
    entries: list[tuple[int, int, float]] = []
    limits: list[float] = []
    for left, right in pairs:
        entries += [(len(limits), place[left], 1.0), (len(limits), place[right], -1.0)]
        limits.append(-(sizes[left] + sizes[right]) / 2 - gap)
    for i, (upper, lower) in enumerate(links):
        for sign in (1.0, -1.0):
            entries += [(len(limits), place[upper], sign), (len(limits), place[lower], -sign)]
            entries.append((len(limits), len(nodes) + i, -1.0))
            limits.append(0.0)
    count, room = len(nodes) + len(links), 2 * sum(sizes[node] + gap for node in nodes)
    conditions = None
    if entries:
        limit_of, unknown_of, values = zip(*entries)
        conditions = coo_array((values, (limit_of, unknown_of)), shape=(len(limits), count)).tocsr()
    weights = [_weight(rows, upper, lower) for upper, lower in links]
    ways = []
    for nudge in (NUDGE, -NUDGE):
        cost = np.array([nudge / len(nodes)] * len(nodes) + weights)
        bounds = [(0, room)] * len(nodes) + [(0, None)] * len(links)
        found = linprog(cost, conditions, limits or None, bounds=bounds, method="highs")
        ways.append(found.x[: len(nodes)])
    left, right = (way - np.min(way) for way in ways)
    return dict(zip(nodes, ((left + right) / 2).tolist()))


def _weight(rows: Rows, upper: int, lower: int) -> float:
    alone = len(rows.below[upper]) == len(rows.above[lower]) == 1
    inner = rows.is_bend(upper) and rows.is_bend(lower)
    return (STRAIGHT if inner else 1.0) * (ALONE if alone else 1.0)
