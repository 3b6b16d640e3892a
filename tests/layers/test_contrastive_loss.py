"""ContrastiveLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels
from ..support.strategies import shapes


def far(shape, rng) -> np.ndarray:
    """Distances in the thousands: Caffe's 1e-4 in the gradient is then nothing."""
    return 1e4 * distinct(shape, rng)


def case(*shape: int, margin: float = 1e4, legacy: bool = False, rest: str = "") -> Case:
    param = f"margin: {margin} legacy_version: {str(legacy).lower()}"
    layer = f'type: "ContrastiveLoss" contrastive_loss_param {{ {param} }} {rest}'
    return Case(layer, (shape, shape, shape[:1]), (far, far, labels(2)))


CASES = [
    case(6, 3),
    case(6, 3, margin=2e4, rest="loss_weight: 0.5"),
    case(6, 2, margin=3e7, legacy=True),
    case(4, 2, 1, 1),
    case(3),
]


@each_device
@given(shape=shapes(), legacy=st.booleans(), margin=st.sampled_from([1.1e3, 1.13e4, 3.3e4]))
def test_formula(device, shape, legacy, margin):
    margin = float(np.float32(margin**2 if legacy else margin))  # as the schema stores it

    def reference(a, b, s):
        square = ((a - b) ** 2).reshape(len(a), -1).sum(axis=1)
        apart = np.maximum(margin - square, 0) if legacy else np.maximum(margin - np.sqrt(square), 0) ** 2
        return np.array(np.where(s != 0, square, apart).sum() / len(a) / 2)

    check_forward(case(*shape, margin=margin, legacy=legacy), device, reference)
    check_gradient(case(*shape, margin=margin, legacy=legacy), device)


@each_device
@pytest.mark.parametrize("legacy", [False, True])
def test_equal_items_of_different_kinds_have_no_gradient(device, legacy):
    rig = Rig(case(2, 3, margin=1, legacy=legacy), device)
    (loss,) = rig.forward([np.ones((2, 3)), np.ones((2, 3)), np.zeros(2)])
    assert loss == 0.5
    rig.seed_tops()
    assert not any(d.any() for d in rig.backward()[0][:2])


@each_device
def test_the_gradient_of_close_items_is_caffes(device):
    rig = Rig(case(1, 1, margin=1), device)
    rig.forward([np.full((1, 1), 1e-4), np.zeros((1, 1)), np.zeros(1)])
    rig.device.fill(rig.top[0].diff, 1)
    np.testing.assert_allclose(rig.backward()[0][0], [[-(1 - 1e-4) / 2]], rtol=1e-6)


def test_shapes_that_do_not_fit(cpu):
    layer = 'type: "ContrastiveLoss"'
    with pytest.raises(ShapeError, match="say of 4 pairs whether they are the same; got"):
        Rig(Case(layer, ((4, 3), (4, 3), (5,))), cpu)
    with pytest.raises(ShapeError, match="equal counts"):
        Rig(Case(layer, ((4, 3), (4, 2), (4,))), cpu)


@each_device
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("count, value", [(3, np.nan), (3, np.inf), (2000, np.nan)])
def test_a_kind_that_is_no_number(device, count, value, legacy):
    rig = Rig(case(count, 2, margin=1, legacy=legacy), device)
    ones, same = np.ones((count, 2)), np.full(count, -1.0)  # whatever is not 0 is the same
    same[count - 2 :] = value
    with pytest.raises(DataError, match=rf"{value} at \[{count - 2}\] of bottom 2 does not say whether"):
        rig.forward([ones, 2 * ones, same])
    assert np.isnan(device.get(rig.top[0].data))
    rig.seed_tops()
    da, db, _ = rig.backward()[0]
    assert da[:-2].all() and not da[-2:].any()
    np.testing.assert_array_equal(db, -da)
    assert rig.forward([ones, 2 * ones, np.ones(count)])[0] == 1  # the complaint is made once
