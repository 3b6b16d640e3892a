"""Where a long picture is cut into columns, as text is: so that it fills a page and not a ribbon."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from .order import Link

MOST_COLUMNS = 40
REACH = 0.35  # how far from equal lengths a cut may lie, in lengths of a column
UNEVEN = 8.0  # how many lines leading on a whole length is worth


def page_like(
    heights: Sequence[float],
    widths: Sequence[float],
    between: Sequence[float],
    passing: Sequence[int],
    page: tuple[float, float],
) -> list[int]:
    """The cuts that come nearest to the shape of a page; none if all is no longer than the page.

    heights, widths  of rows, with the gaps behind and beside them
    between          the width that a cut behind a row takes between the columns
    passing          how many lines lead on there
    page             width and height
    """
    best: list[int] = []
    if sum(heights) <= page[1]:
        return best
    nearest = math.inf
    for count in range(1, min(MOST_COLUMNS, len(heights)) + 1):
        found = cuts(heights, passing, count)
        columns = list(pairwise([0, *(row + 1 for row in found), len(heights)]))
        width = sum(max(widths[first:end]) for first, end in columns) + sum(between[row] for row in found)
        height = max(sum(heights[first:end]) for first, end in columns)
        off = abs(math.log(width / height / (page[0] / page[1])))
        if off < nearest:
            best, nearest = found, off
    return best


def cuts(heights: Sequence[float], passing: Sequence[int], count: int) -> list[int]:
    """The rows behind which to cut so that there are about `count` columns: near where all are equally long,
    and where few lines lead on."""
    ends = list(accumulate(heights))
    length = ends[-1] / count if ends else 0.0
    found: list[int] = []
    for i in range(1, count):
        wanted = i * length
        first = bisect_right(ends, wanted - REACH * length)
        last = bisect_right(ends, wanted + REACH * length)
        rows = range(max(first, found[-1] + 1 if found else 0), min(last, len(heights) - 1))
        if rows:
            found.append(min(rows, key=lambda row: passing[row] + UNEVEN * abs(ends[row] - wanted) / length))
    return found


def lanes(rank: Sequence[int], links: Sequence[Link]) -> list[int]:
    """How many boxes in or above each row are read below it: so many lines lead on if the row is a column's
    last."""
    last: dict[int, int] = {}  # row of a reader
    for source, target in links:
        last[source] = max(rank[target], last.get(source, 0))
    change = [0] * (max(rank, default=-1) + 2)
    for source, row in last.items():
        change[rank[source]] += 1
        change[row] -= 1
    return list(accumulate(change))[:-1]
