"""The bottoms of LSTM and RNN, and what they must be."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.blob import Blob
from ...errors import ShapeError

X, CONT, STATIC = 0, 1, 2  # behind them the states to start from


def check_counts(bottoms: int, tops: int, states: int) -> None:
    """ShapeError unless a layer with that many exposed states can have so many bottoms and tops."""
    names = ", ".join(("h", "c")[:states])
    if bottoms - states not in (2, 3):
        raise ShapeError(
            f"takes {2 + states} or {3 + states} bottoms; got {bottoms}",
            hint=f"x, cont, perhaps x_static, {names} to start from"
            if states
            else "x, cont, perhaps x_static; states to start from only with expose_hidden: true",
        )
    if tops != 1 + states:
        raise ShapeError(
            f"takes {1 + states} top{'s' if states else ''}; got {tops}",
            hint=f"all steps, and {names} of the last" if states else "states need expose_hidden: true",
        )


def check_shapes(bottom: Sequence[Blob], features: int, static: int, states: int, size: int) -> None:
    """ShapeError unless the bottoms fit each other and the weights.

    features, static  how many numbers the weights take of a step of x, and of x_static (if there is one)
    states, size      how many states there are to start from, and of how many numbers for every sequence
    """
    x = bottom[X].shape
    if len(x) < 2 or not x[0]:
        raise ShapeError(
            f"bottom 0 must have the axes steps (1 or more), sequences and then features; got {x}"
        )
    if bottom[CONT].shape != x[:2]:
        raise ShapeError(
            f"bottom 1 must have a number for every step of every sequence, {x[:2]};"
            f" got {bottom[CONT].shape}",
            hint="0 where a sequence starts, 1 where it goes on",
        )
    if bottom[X].count_over(2) != features:
        raise ShapeError(
            f"bottom 0 has {bottom[X].count_over(2)} features per step; the weights take {features}"
        )
    first = len(bottom) - states
    if first > STATIC:
        shape = bottom[STATIC].shape
        if not shape or shape[0] != x[1]:
            raise ShapeError(f"bottom 2 must have features for each of the {x[1]} sequences; got {shape}")
        if bottom[STATIC].count_over(1) != static:
            raise ShapeError(
                f"bottom 2 has {bottom[STATIC].count_over(1)} features per sequence; the weights take"
                f" {static}"
            )
    wanted = (1, x[1], size)
    for i in range(first, len(bottom)):
        if bottom[i].shape != wanted:
            raise ShapeError(f"bottom {i}, a state to start from, must be {wanted}; got {bottom[i].shape}")
