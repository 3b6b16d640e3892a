"""Mul, and what it has in common with Add."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.layers.linear.broadcasting import broadcast_shape, pair_of

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient

MUL = 'type: "Mul"'
OWN = 'type: "Mul" mul_param {{ {} }}'

CASES = [
    Case(MUL, ((2, 3, 4, 5), (1, 3, 1, 1)), growing=(0, 9)),
    Case(MUL, ((2, 3, 2), (2, 3, 2))),
    Case(MUL, ((1, 3, 1, 2), (2, 1, 4, 1)), growing=(9, 0)),
    Case(OWN.format("mul_shape: [3, 1]"), ((2, 3, 4),)),
    Case(OWN.format(""), ((2, 3),)),
]


@st.composite
def fitting(draw) -> tuple[tuple[int, ...], ...]:
    """Two shapes that fit, of few elements."""
    shape = draw(st.lists(st.integers(1, 3), max_size=5))
    pair = []
    for _ in range(2):
        kept = draw(st.integers(0, len(shape)))
        pair.append(tuple(n if draw(st.booleans()) else 1 for n in shape[len(shape) - kept :]))
    return tuple(pair)


@each_device
@pytest.mark.parametrize("kind", ["Add", "Mul"])
@given(shapes=fitting())
def test_formula_and_gradient(device, kind, shapes):
    case = Case(f'type: "{kind}"', shapes)
    check_forward(case, device, np.add if kind == "Add" else np.multiply)
    check_gradient(case, device)


@each_device
def test_a_parameter(device):
    check_forward(CASES[3], device, lambda x, b: x * b)
    check_forward(CASES[4], device, lambda x, b: x * b)


def test_a_parameter_is_one_at_first(cpu):
    filler = Rig(CASES[3], cpu).layer.fillers[0]
    assert (filler.type, filler.value) == ("constant", 1)


@given(fitting())
def test_the_fewest_axes(shapes):
    """Neighbours of one kind are one axis."""
    a, b = shapes
    g = pair_of(a, b, broadcast_shape(a, b))
    assert g.count == np.prod(np.broadcast_shapes(a, b))
    kinds = [(bool(x), bool(y)) for n, x, y in zip(g[:5], g[5:10], g[10:]) if n > 1]
    assert all(one != other for one, other in itertools.pairwise(kinds))


def test_refuses(cpu):
    for kind in ("Add", "Mul"):
        with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2,\) do not fit"):
            Rig(Case(f'type: "{kind}"', ((2, 3), (2,))), cpu)
    with pytest.raises(ShapeError, match="too many axes in turn; 5 runs"):
        Rig(Case(MUL, ((2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2))), cpu)
    with pytest.raises(ConfigError, match="mul_shape is for one bottom; there are two"):
        Rig(Case(OWN.format("mul_shape: 3"), ((3,), (3,))), cpu)
