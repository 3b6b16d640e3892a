"""The memory plan: nothing that lives at the same time overlaps, and little is wasted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.graph.plan import Lifetime, plan

lifetimes = st.lists(
    st.builds(
        lambda nbytes, first, length: Lifetime(nbytes, first, first + length),
        st.integers(0, 4096),
        st.integers(0, 40),
        st.integers(0, 40),
    ),
    max_size=40,
)


each_way = pytest.mark.parametrize("many", [1000, 0], ids=["largest first", "by time"])


@each_way
@settings(max_examples=200)
@given(lifetimes)
def test_no_two_live_buffers_overlap(many, given_lifetimes):
    result = plan(given_lifetimes, alignment=64, many=many)
    spans = []
    for lifetime, offset in zip(given_lifetimes, result.offsets):
        assert offset % 64 == 0 and offset + lifetime.nbytes <= result.nbytes
        for other, start in spans:
            if lifetime.first <= other.last and other.first <= lifetime.last:
                assert offset + lifetime.nbytes <= start or start + other.nbytes <= offset
        spans.append((lifetime, offset))


@each_way
@given(lifetimes)
def test_size_lies_between_the_floor_and_one_buffer_each(many, given_lifetimes):
    result = plan(given_lifetimes, alignment=1, many=many)
    most = 0
    for step in range(81):
        most = max(most, sum(t.nbytes for t in given_lifetimes if t.first <= step <= t.last))
    assert result.floor == most <= result.nbytes <= sum(t.nbytes for t in given_lifetimes)


@each_way
def test_a_chain_needs_two_buffers(many):
    """Forward through ten layers of equal size: each value lives from its layer to the next."""
    assert plan([Lifetime(1024, i, i + 1) for i in range(10)], many=many).nbytes == 2048


def test_by_time_nested_lives_waste_nothing():
    """What training keeps: born first, dead last."""
    nested = [Lifetime(256 * (i % 7 + 1), i, 200 - i) for i in range(100)]
    result = plan(nested + [Lifetime(256, 201, 201)], many=0)
    assert result.nbytes == result.floor


def test_a_planted_fault_is_seen():
    """The check above fails for a plan that ignores lifetimes."""
    overlapping = [Lifetime(64, 0, 5), Lifetime(64, 3, 8)]
    assert plan(overlapping, alignment=64).nbytes == 128
    assert plan([Lifetime(64, 0, 2), Lifetime(64, 3, 8)], alignment=64).nbytes == 64
