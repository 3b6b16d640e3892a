"""Axpy."""

import pytest
from hypothesis import given

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

LAYER = 'type: "Axpy"'
CASES = [
    Case(LAYER, ((2, 3, 1, 1), (2, 3, 2, 4), (2, 3, 2, 4))),
    Case(LAYER, ((2, 3), (2, 3, 4, 1), (2, 3, 4, 1))),
    Case(LAYER, ((3, 2), (3, 2), (3, 2))),
]


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    shape = (*shape, 1, 1)[: max(2, len(shape))]
    case = Case(LAYER, (shape[:2], shape, shape))
    check_forward(case, device, lambda a, x, b: a.reshape(*a.shape, *[1] * (x.ndim - 2)) * x + b)
    check_gradient(case, device)


def test_refuses(cpu):
    x = (2, 3, 4, 4)
    for a in ((2, 1), (3, 2), (2,), (2, 3, 4, 1)):
        with pytest.raises(ShapeError, match=r"bottom 0 must have one factor for each channel of bottom 1"):
            Rig(Case(LAYER, (a, x, x)), cpu)
    with pytest.raises(ShapeError, match=r"bottom 2 must have the shape of bottom 1"):
        Rig(Case(LAYER, ((2, 3), x, (2, 3, 16))), cpu)
