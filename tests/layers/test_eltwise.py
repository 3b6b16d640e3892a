"""Eltwise."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

ELTWISE = 'type: "Eltwise" eltwise_param {{ {} }}'
SHAPES = ((2, 3, 4),) * 3


def apart(i):
    """Distinct values that no other bottom has."""
    return lambda shape, rng: (
        (rng.permutation(3 * int(np.prod(shape)))[: int(np.prod(shape))] + i / 4).reshape(shape) / 50 + 0.1
    )


APART = (apart(0), apart(1), apart(2), apart(3))

CASES = [
    Case(ELTWISE.format(""), SHAPES[:2]),
    Case(ELTWISE.format("operation: SUM coeff: 1 coeff: -0.5 coeff: 2"), SHAPES),
    Case(ELTWISE.format("operation: PROD"), SHAPES),
    Case(ELTWISE.format("operation: PROD"), SHAPES[:2]),
    Case(ELTWISE.format("operation: PROD stable_prod_grad: false"), SHAPES),
    Case(ELTWISE.format("operation: MAX"), SHAPES, makers=APART),
]

REFERENCES = {"SUM": np.add, "PROD": np.multiply, "MAX": np.maximum}


@each_device
@given(
    shape=shapes(),
    count=st.integers(2, 4),
    operation=st.sampled_from(sorted(REFERENCES)),
    stable=st.booleans(),
)
def test_formula_and_gradient(device, shape, count, operation, stable):
    layer = ELTWISE.format(f"operation: {operation} stable_prod_grad: {str(stable).lower()}")
    case = Case(layer, (shape,) * count, makers=APART[:count])
    check_forward(case, device, lambda *x: functools.reduce(REFERENCES[operation], x))
    check_gradient(case, device)


@each_device
def test_coefficients(device):
    check_forward(CASES[1], device, lambda a, b, c: a - 0.5 * b + 2 * c)


def run(device, fields, *bottoms):
    """Top and bottom diffs for dy = 1, 2, 3 ..."""
    bottoms = [np.array(b, float) for b in bottoms]
    rig = Rig(Case(ELTWISE.format(fields), tuple(b.shape for b in bottoms)), device)
    (y,) = rig.forward(bottoms)
    device.put(np.arange(1.0, y.size + 1), rig.top[0].diff)
    return y, rig.backward()[0]


@each_device
def test_ties_of_the_maximum(device):
    """Of bottoms 0 and 1 the second wins; later ones win only if they are greater."""
    values = list(itertools.product([0, 1], repeat=4))
    y, down = run(device, "operation: MAX", *np.transpose(values))
    for i, item in enumerate(values):
        winner = 0 if item[0] > item[1] else 1
        for j in (2, 3):
            winner = j if item[j] > item[winner] else winner
        assert y[i] == max(item)
        assert [dx[i] for dx in down] == [i + 1 if j == winner else 0 for j in range(4)]


@each_device
def test_the_stable_gradient_of_a_product_is_right_at_zero(device):
    _, down = run(device, "operation: PROD", [0, 0, 2], [3, 0, 5], [7, 11, 0])
    np.testing.assert_array_equal(down, [[21, 0, 0], [0, 0, 0], [0, 0, 30]])


@each_device
def test_the_unstable_one_is_not(device):
    with np.errstate(invalid="ignore"):
        _, down = run(device, "operation: PROD stable_prod_grad: false", [0, 2], [3, 5])
    assert np.isnan(down[0][0])
    np.testing.assert_array_equal([dx[1] for dx in down], [10, 4])


@pytest.mark.parametrize(
    ("fields", "reads"),
    [
        ("", set()),
        ("operation: MAX", set()),
        ("operation: PROD", {"bottom.data"}),
        ("operation: PROD stable_prod_grad: false", {"bottom.data", "top.data"}),
    ],
)
def test_reads_no_more_than_it_must(cpu, fields, reads):
    assert Rig(Case(ELTWISE.format(fields), SHAPES), cpu).layer.backward_reads == reads


@pytest.mark.parametrize(
    ("fields", "shapes", "error", "message"),
    [
        (
            "operation: PROD coeff: 1 coeff: 2",
            SHAPES[:2],
            ConfigError,
            "coeff is for SUM; the operation is PROD",
        ),
        (
            "operation: MAX coeff: 1 coeff: 2",
            SHAPES[:2],
            ConfigError,
            "coeff is for SUM; the operation is MAX",
        ),
        ("coeff: 1", SHAPES[:2], ConfigError, "1 values of coeff for 2 bottoms"),
        ("", SHAPES[:1], ShapeError, "takes 2 or more bottoms; got 1"),
        (
            "",
            ((2, 3), (2, 3), (3, 2)),
            ShapeError,
            r"bottom 2 must have the shape of bottom 0, \(2, 3\); got \(3, 2\)",
        ),
    ],
)
def test_refuses(cpu, fields, shapes, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(ELTWISE.format(fields), shapes), cpu)


def test_in_place_is_refused(cpu):
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(CASES[0], cpu, in_place=True)
