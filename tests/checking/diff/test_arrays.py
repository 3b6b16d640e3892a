"""Weights and solver states, array by array."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicaffe.checking.diff.arrays import compare, difference, of_message
from minicaffe.errors import WeightsError
from minicaffe.proto import binary
from minicaffe.proto.schema import SolverState

from ...convert.files import arrays, weights


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_everything_equals_itself(array):
    assert difference(array, array)[:2] == (0, 0)


@given(st.data())
def test_a_planted_difference_is_found(data):
    shape = data.draw(hnp.array_shapes(max_dims=3))
    array = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-1, 1)))
    at = data.draw(st.tuples(*(st.integers(0, d - 1) for d in shape)))
    other = array.copy()
    other[at] += 0.5
    absolute, relative, worst = difference(array, other)
    assert worst == at and math.isclose(absolute, 0.5) and 0.3 < relative <= 2


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([math.nan, 1], [math.nan, 1], (0, 0)),
        ([math.nan, 1], [0, 1], (math.inf, math.inf)),
        ([math.inf, 1], [math.inf, 2], (1, 0.5)),
        ([math.inf, 1], [-math.inf, 1], (math.inf, math.inf)),
        ([0, 0], [0, 0], (0, 0)),
        ([10, 0.1], [10, 0.2], (0.1, 0.01)),
    ],
)
def test_numbers(first, second, wanted):
    assert difference(np.array(first), np.array(second))[:2] == pytest.approx(wanted)


def test_a_scale_makes_less_of_small_values():
    assert difference(np.array([1e-8]), np.array([2e-8]), 1.0)[1] == pytest.approx(1e-8)


def test_arrays_that_do_not_match():
    rows = compare({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(3), "c": np.ones(1)})
    assert [(row.name, row.note, row.relative) for row in rows] == [
        ("a", "has shape (3,) in the second", math.inf),
        ("b", "only in the first", math.inf),
        ("c", "only in the second", math.inf),
    ]


def test_messages():
    assert of_message(weights()).keys() == arrays(weights()).keys()
    state = SolverState(iter=3, current_step=1, history=[binary.from_array(np.ones(2))])
    got = of_message(state)
    assert list(got) == ["iter", "current_step", "history/0"] and got["iter"] == 3
    state.history[0].shape.dim[0] = 5
    with pytest.raises(WeightsError, match="history 0: a blob of shape"):
        of_message(state)
