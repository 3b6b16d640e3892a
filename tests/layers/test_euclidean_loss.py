"""EuclideanLoss."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, uniform
from ..support.strategies import shapes

LAYER = 'type: "EuclideanLoss"'
CASES = [
    Case(LAYER, ((4, 3), (4, 3)), (uniform,)),
    Case(f"{LAYER} loss_weight: 0.3", ((2, 3, 4), (2, 12))),
    Case(LAYER, ((3,), (3, 1))),
]


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    case = Case(LAYER, (shape, shape), (uniform,))
    check_forward(case, device, lambda a, b: np.array(((a - b) ** 2).sum() / 2 / len(a)))
    check_gradient(case, device)


@each_device
@pytest.mark.parametrize("count", [1023, 1024, 1025, 5000])
def test_many_elements(device, count):
    """More than one partial sum, the last of any size."""
    case = Case(LAYER, ((2, count), (2, count)), (uniform,))
    check_forward(case, device, lambda a, b: np.array(((a - b) ** 2).sum() / 4))


def test_the_gradient_is_weighted(cpu):
    one, other = (Rig(Case(f"{LAYER} loss_weight: {w}", ((4, 3), (4, 3))), cpu) for w in (1, 3.7))
    arrays = one.case.arrays()
    for rig in (one, other):
        rig.forward(arrays)
    for a, b in zip(one.backward()[0], other.backward()[0]):
        np.testing.assert_allclose(b, np.float64(np.float32(3.7)) * a, rtol=1e-12)
    assert other.net.loss() == pytest.approx(3.7 * one.net.loss(), rel=1e-6)


def test_float32_sums_are_accurate():
    a, b = np.random.default_rng(1).standard_normal((2, 256, 1000)).astype(np.float32)
    (y,) = Rig(Case(LAYER, (a.shape, b.shape)), make_device("cpu", np.float32)).forward([a, b])
    wanted = ((a.astype(np.float64) - b) ** 2).sum() / 512
    np.testing.assert_allclose(y, wanted, rtol=5e-7)


def test_shapes_that_do_not_fit(cpu):
    with pytest.raises(ShapeError, match="same batch size"):
        Rig(Case(LAYER, ((4, 3), (3, 4))), cpu)
    with pytest.raises(ShapeError, match=r"must have equal counts; got \(4, 3\) and \(4, 2\)"):
        Rig(Case(LAYER, ((4, 3), (4, 2))), cpu)
    with pytest.raises(ShapeError, match="same batch size"):
        Rig(Case(LAYER, ((), ())), cpu)
