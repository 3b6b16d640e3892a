"""Hypothesis strategies for shapes and windows."""

from __future__ import annotations

import math

from hypothesis import strategies as st


@st.composite
def shapes(draw, min_rank: int = 1, max_rank: int = 5, most: int = 150) -> tuple[int, ...]:
    """Small shapes without empty axes, of at most `most` elements: sides are 1, even, odd, prime."""
    shape: list[int] = []
    for _ in range(draw(st.integers(min_rank, max_rank))):
        room = most // math.prod(shape)
        shape.append(draw(st.sampled_from([side for side in (1, 2, 3, 4, 5, 7) if side <= room])))
    return tuple(draw(st.permutations(shape)))


@st.composite
def broadcasts(draw) -> tuple[tuple[int, ...], int, int]:
    """A small shape and a run of its axes, perhaps empty, as (shape, first, last)."""
    shape = draw(shapes())
    first = draw(st.integers(0, len(shape) - 1))
    return shape, first, draw(st.integers(first, len(shape)))
