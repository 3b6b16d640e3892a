"""Hypothesis strategies for shapes and windows."""

from __future__ import annotations

from hypothesis import strategies as st


def shapes(min_rank: int = 1, max_rank: int = 4, max_side: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    """Small shapes without empty axes."""
    return st.lists(st.integers(1, max_side), min_size=min_rank, max_size=max_rank).map(tuple)


@st.composite
def broadcasts(draw) -> tuple[tuple[int, ...], int, int]:
    """A small shape and a run of its axes, perhaps empty, as (shape, first, last)."""
    shape = draw(shapes())
    first = draw(st.integers(0, len(shape) - 1))
    return shape, first, draw(st.integers(first, len(shape)))
