"""MultinomialLogisticLoss."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, labels, uniform
from ..support.strategies import shapes

LAYER = 'type: "MultinomialLogisticLoss"'


def case(*shape: int, rest: str = "") -> Case:
    return Case(f"{LAYER} {rest}", (shape, shape[:1]), (uniform, labels(int(np.prod(shape[1:])))))


CASES = [case(5, 3), case(4, 6, rest="loss_weight: 2"), case(3, 2, 2), case(2)]


@each_device
@given(shape=shapes())
def test_formula(device, shape):
    def reference(p, t):
        return np.array(-np.log(p.reshape(len(p), -1)[np.arange(len(p)), t.astype(int)]).sum() / len(p))

    check_forward(case(*shape), device, reference)
    check_gradient(case(*shape), device)


@each_device
def test_a_probability_of_zero_is_floored(device):
    rig = Rig(case(1, 2), device)
    (loss,) = rig.forward([np.array([[0.0, 1]]), np.zeros(1)])
    np.testing.assert_allclose(loss, -np.log(1e-20), rtol=1e-6)
    rig.device.fill(rig.top[0].diff, 1)
    np.testing.assert_allclose(rig.backward()[0][0], [[-1e20, 0]], rtol=1e-6)


@each_device
def test_a_label_that_is_no_class(device):
    rig = Rig(case(2, 3), device)
    with pytest.raises(
        DataError, match=r"label 3 at \[0\] of bottom 1 is none of the 3 classes 0 to 2; hint: corr"
    ):
        rig.forward([np.full((2, 3), 0.5), np.array([3.0, 0])])
    rig.forward([np.full((2, 3), 0.5), np.zeros(2)])


def test_shapes_that_do_not_fit(cpu):
    with pytest.raises(ShapeError, match="same batch size"):
        Rig(Case(LAYER, ((4, 3), (3,))), cpu)
