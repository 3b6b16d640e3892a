"""Hazards, turns on branches, longer lives: over rows of steps that are nothing but numbers."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.graph.branches import AHEAD, longest_chain, prolonged, turns
from minicaffe.graph.gradients import analyse
from minicaffe.graph.hazards import Access, Region, dependencies
from minicaffe.graph.liveness import Liveness, Span, liveness
from minicaffe.graph.program import Program, ownership

from .nets import graph, losses, program


@st.composite
def regions(draw, steps=(0, 4, 5)) -> Region:
    start, length = draw(st.integers(0, 20)), draw(st.integers(1, 12))
    step = draw(st.sampled_from(steps))
    if not step:
        return Region(start, start + length)
    width = draw(st.integers(1, step))
    return Region(start, start + length // step * step + width, step, width)


def bytes_of(region: Region) -> set[int]:
    return {
        at
        for at in range(region.start, region.stop)
        if not region.step or (at - region.start) % region.step < region.width
    }


@given(regions(), regions())
def test_regions_meet_where_they_share_a_byte(one, other):
    assert one.meets(other) == other.meets(one)
    assert one.meets(other) or not bytes_of(one) & bytes_of(other)
    if one.step == other.step or not (one.step and other.step):
        overlap = range(max(one.start, other.start), min(one.stop, other.stop))
        whole = max(one.step, other.step)
        if len(overlap) >= whole:  # at the ends it may be said of those that only nearly meet
            assert one.meets(other) == bool(bytes_of(one) & bytes_of(other))


rows = st.lists(
    st.builds(Access, st.lists(regions(), max_size=2), st.lists(regions(), max_size=2)), max_size=12
)


def closed(dependencies) -> list[set[int]]:
    """With all that the earlier ones wait for."""
    found: list[set[int]] = []
    for before in dependencies:
        found.append(set(before).union(*(found[j] for j in before)))
    return found


def hazards(row: list[Access]) -> list[set[int]]:
    """By looking at every pair."""

    def touch(ones: list[Region], others: list[Region]) -> bool:
        return any(bytes_of(one) & bytes_of(other) for one in ones for other in others)

    def conflict(a: Access, b: Access) -> bool:
        return touch(a.writes, b.reads) or touch(a.reads, b.writes) or touch(a.writes, b.writes)

    return [{j for j in range(i) if conflict(row[j], row[i])} for i in range(len(row))]


@given(rows)
def test_every_hazard_is_found(row):
    found = closed(dependencies(row))
    assert all(found[i] >= wanted for i, wanted in enumerate(hazards(row)))


@given(st.lists(st.builds(Access, *[st.lists(regions((0,)), max_size=2)] * 2), max_size=12))
def test_nobody_waits_without_a_hazard(row):
    """Of whole regions; of those with gaps some that nearly meet wait as well."""
    assert closed(dependencies(row)) == closed(hazards(row))


def test_parts_of_a_whole_do_not_wait_for_each_other():
    whole = Region(0, 40)
    left, right = Region(0, 34, 10, 4), Region(4, 40, 10, 6)
    row = [
        Access([], [whole]),
        Access([], [left]),
        Access([], [right]),
        Access([left], []),
        Access([whole], []),
    ]
    assert dependencies(row) == [set(), {0}, {0}, {0, 1}, {0, 1, 2}]


rows_of_dependencies = st.integers(0, 14).flatmap(
    lambda n: st.tuples(
        *(st.sets(st.integers(0, i - 1), max_size=3) if i else st.just(set()) for i in range(n))
    )
)


@given(rows_of_dependencies, st.integers(1, 4))
def test_turns_keep_every_dependency(row, most):
    found = turns(row, most)
    after: list[set[int]] = []  # what is done when each begins, by branches and waits alone
    last: dict[int, int] = {}
    for i, turn in enumerate(found):
        before = {*turn.waits, *([last[turn.branch]] if turn.branch in last else [])}
        after.append(before.union(*(after[j] for j in before)))
        assert after[i] >= row[i] and all(found[j].awaited for j in turn.waits)
        assert not any(j in after[k] for j in turn.waits for k in before), "a wait that others imply"
        last[turn.branch] = i
    assert all(0 <= branch < most and (not branch or found[i].awaited) for branch, i in last.items())


def test_a_chain_stays_on_branch_0():
    chain = [set(range(max(i - 2, 0), i)) for i in range(9)]
    assert {turn.branch for turn in turns(chain, 4)} == {0} and longest_chain(chain) == 9


def test_a_fan_comes_back_to_branch_0():
    found = turns([set(), {0}, {0}, {0}, {1, 2, 3}, {4}], 4)
    assert [turn.branch for turn in found] == [0, 0, 1, 2, 0, 0]
    assert [turn.waits for turn in found] == [(), (), (0,), (0,), (3, 2), ()]


def test_more_than_there_are_branches_share_the_shortest():
    found = turns([set(), {0}, {1}, {0}, {0}], 2)
    assert [turn.branch for turn in found] == [0, 0, 0, 1, 1]


def test_long_nets_take_time_in_proportion():
    """Four chains side by side, in memory that is taken again and again."""

    def seconds(steps: int) -> float:
        places = [Region(70 * i, 70 * i + 70) for i in range(16)]
        row = [Access([places[i % 16]], [places[(i + 4) % 16]]) for i in range(steps)]
        times = []
        for _ in range(3):
            begin = perf_counter()
            turns(dependencies(row), 4)
            times.append(perf_counter() - begin)
        return min(times)

    assert seconds(4000) < 25 * seconds(400) + 0.01


# -- lives


def lives(*layers: str, train: bool = True) -> tuple[list[str], Program, Liveness, Liveness]:
    """The names of the blobs, the program, and what it needs when, before and after."""
    g = graph(*layers)
    mults = [[1.0] if train and n.kind.__name__ == "Op" else [] for n in g.nodes]
    one = program(g, analyse(g.nodes, mults, losses(g), False))
    own = ownership(range(len(g.blob_names)), {}, [])
    before = liveness(one, own.owners, own.owners)
    return g.blob_names, one, before, prolonged(one, before, own, own)


CHAIN = ("Input in: > x label", "Op a: x > a", "Squash s: a > s", "Op b: s > b", "Loss l: b label > loss")


@pytest.mark.parametrize("train", [True, False])
def test_lives_in_a_chain_are_as_long_as_before(train):
    _, _, before, after = lives(*CHAIN, train=train)
    assert after == before


def test_branches_do_not_take_each_others_memory():
    """b's part runs while a's may still run; the sum waits for both."""
    names, _, before, after = lives(
        *("Input in: > x", "Op a: x > a", "Op a2: a > a2", "Op b: x > b", "Op b2: b > b2"),
        *("Op sum: a2 b2 > sum",),
        train=False,
    )  # fmt: skip
    spans = {name: (before.data[i], after.data[i]) for i, name in enumerate(names)}
    assert spans["a"] == (Span(1, 2), Span(1, 4))  # b and b2 run at the same time
    assert spans["b"] == (Span(3, 4), Span(3, 4)) and spans["a2"] == (Span(2, 5), Span(2, 5))


def test_lives_end_soon_and_with_forward():
    """An auxiliary loss: nothing in forward waits for it."""
    many = [f"Op m{i}: {f'm{i - 1}' if i else 'x'} > m{i}" for i in range(2 * AHEAD)]
    side = ["Input in: > x", "Op a: x > a", "Op b: a > b", "Sink s: b"]
    names, _, before, after = lives(*side, *many, train=False)
    assert (before.data[names.index("a")], after.data[names.index("a")]) == (Span(1, 2), Span(1, 2 + AHEAD))
    names, _, before, after = lives(*side, *many[:2], train=False)
    assert after.data[names.index("a")] == Span(1, 5)


@given(st.data())
def test_lives_are_never_shorter(data):
    steps = ["Input in: > b0"]
    for i in range(1, data.draw(st.integers(2, 9))):
        bottoms = data.draw(st.sets(st.integers(0, i - 1), min_size=1, max_size=2))
        steps.append(f"Op o{i}: {' '.join(f'b{j}' for j in sorted(bottoms))} > b{i}")
    _, _, before, after = lives(*steps, train=False)
    for one, other in zip([*before.data, *before.saved], [*after.data, *after.saved]):
        assert (one is None and other is None) or (
            one.first == other.first and one.last <= other.last <= one.last + AHEAD
        )
