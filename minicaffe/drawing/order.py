"""Rows of a layered picture, and who stands beside whom.

After Sugiyama, Tagawa and Toda (1981): every node stands one row below the lowest it reads; a link over
several rows gets a bend in each row between, so that all links join neighbouring rows; then rows are
sorted, down and up in turn, by the middle of what each node is linked to, and neighbours change places
where links then cross less."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

SWEEPS = 24

Link = tuple[int, int]  # source and target; targets have the higher number


class Rows:
    """Nodes 0 ... count-1 and the bends of long links, which have the numbers from `count` on.

    rows          what stands in each row, from left to right
    above, below  for every node and bend those it is linked to in the neighbouring rows
    routes        for every link all it passes, source and target included; links of one source share bends
    turns         rows that hold nothing but bends, one behind each row number in `cuts`: where the picture is
                  cut into columns, the bends are the ends of one column and the beginnings of the next
    """

    def __init__(self, count: int, links: Sequence[Link], cuts: Sequence[int] = ()) -> None:
        self.count = count
        rank = [row + bisect_left(cuts, row) for row in ranks(count, links)]
        self.turns = [row + i + 1 for i, row in enumerate(cuts)]
        self.rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
        self.above: dict[int, list[int]] = defaultdict(list)
        self.below: dict[int, list[int]] = defaultdict(list)
        self.routes: list[list[int]] = []
        bends: dict[tuple[int, int], int] = {}  # (source, row) -> bend
        for node, row in enumerate(rank):
            self.rows[row].append(node)
        for source, target in links:
            route = [source]
            for row in range(rank[source] + 1, rank[target]):
                if (source, row) not in bends:
                    bends[source, row] = count + len(bends)
                    self.rows[row].append(bends[source, row])
                    self._join(route[-1], bends[source, row])
                route.append(bends[source, row])
            self._join(route[-1], target)
            self.routes.append([*route, target])
        self._sort()

    def _join(self, upper: int, lower: int) -> None:
        self.below[upper].append(lower)
        self.above[lower].append(upper)

    def is_bend(self, node: int) -> bool:
        return node >= self.count

    def _sort(self) -> None:
        """From several orders to begin with, the best that comes up."""
        best, fewest = self.rows, self.crossings() + 1
        ways = (self.below, self.above)
        starts = [self._as_walked(way, last) for way in ways for last in (False, True)]
        for start in starts:
            self.rows = start
            for sweep in range(SWEEPS):
                count = self.crossings()
                if count < fewest:
                    best, fewest = [row[:] for row in self.rows], count
                if not fewest:
                    break
                down = sweep % 2 == 0
                for i in range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1):
                    self._by_median(i, down)
                self._swap_neighbours()
        self.rows = best

    def _as_walked(self, linked: Mapping[int, Sequence[int]], last_first: bool) -> list[list[int]]:
        """Rows in the order in which a walk along the links, down or up, comes by, which leaves together what
        belongs together; of several links the first is followed first, or the last."""
        down = linked is self.below
        row_of = {node: i for i, row in enumerate(self.rows) for node in row}
        walked: list[list[int]] = [[] for _ in self.rows]
        seen: set[int] = set()
        for start in (node for row in (self.rows if down else self.rows[::-1]) for node in row):
            ahead = [start]
            while ahead:
                node = ahead.pop()
                if node not in seen:
                    seen.add(node)
                    walked[row_of[node]].append(node)
                    ahead += linked[node] if last_first else reversed(linked[node])
        return walked

    def _by_median(self, i: int, down: bool) -> None:
        """Sort row i by the middle of the links to the row that was sorted before it."""
        place = _places(self.rows[i - 1 if down else i + 1])
        linked = self.above if down else self.below
        here = _places(self.rows[i])

        def middle(node: int) -> float:
            places = [place[other] for other in linked[node]]
            return median(places) if places else here[node]

        self.rows[i].sort(key=middle)

    def _swap_neighbours(self) -> None:
        for i, row in enumerate(self.rows):
            above = _places(self.rows[i - 1]) if i else {}
            below = _places(self.rows[i + 1]) if i + 1 < len(self.rows) else {}
            for k in range(len(row) - 1):
                left, right = row[k], row[k + 1]
                gain = 0
                for linked, place in ((self.above, above), (self.below, below)):
                    of_left = sorted(place[node] for node in linked[left])
                    of_right = sorted(place[node] for node in linked[right])
                    gain += _inversions(of_left, of_right) - _inversions(of_right, of_left)
                if gain > 0:
                    row[k], row[k + 1] = right, left

    def crossings(self) -> int:
        """How many pairs of links cross."""
        total = 0
        for upper, lower in zip(self.rows, self.rows[1:]):
            place = _places(lower)
            passed: list[int] = []  # where links of nodes further to the left end
            for node in upper:
                ends = sorted(place[other] for other in self.below[node])
                total += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
                for end in ends:
                    insort(passed, end)
        return total


def ranks(count: int, links: Sequence[Link]) -> list[int]:
    """The row of every node: one below the lowest it reads.  A node that reads nothing stands right above the
    first that reads it."""
    rank = [0] * count
    for source, target in sorted(links, key=lambda link: link[1]):
        rank[target] = max(rank[target], rank[source] + 1)
    reading = {target for _, target in links}
    first: dict[int, int] = {}  # row of a reader
    for source, target in links:
        first[source] = min(rank[target], first.get(source, rank[target]))
    return [rank[node] if node in reading or node not in first else first[node] - 1 for node in range(count)]


def _places(row: Sequence[int]) -> dict[int, int]:
    return {node: i for i, node in enumerate(row)}


def _inversions(left: Sequence[int], right: Sequence[int]) -> int:
    """Pairs of ends that are out of order, both lists being sorted."""
    return sum(bisect_left(right, end) for end in left)
