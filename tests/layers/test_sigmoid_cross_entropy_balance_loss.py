"""SigmoidCrossEntropyBalanceLoss."""

import numpy as np
import pytest
from hypothesis import given

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.strategies import shapes

LAYER = 'type: "SigmoidCrossEntropyBalanceLoss"'


def answers(shape, rng) -> np.ndarray:
    return rng.choice([0.0, 0.0, 1.0], shape)


CASES = [
    Case(LAYER, ((2, 1, 3, 4), (2, 1, 3, 4)), (distinct, answers)),
    Case(f"{LAYER} loss_weight: 0.5", ((3, 5), (3, 1, 5)), (distinct, answers)),
]


def weights(t):
    flat = t.reshape(len(t), -1)
    ones, zeros = (flat == 1).sum(1), (flat == 0).sum(1)
    share = (zeros / np.maximum(ones + zeros, 1)).reshape(-1, *[1] * (t.ndim - 1))
    return np.where(t == 1, share, 1 - share)


def reference(x, t):
    t = t.reshape(x.shape)
    losses = np.log1p(np.exp(-np.abs(x))) + x * ((x > 0) - t)
    return np.array((weights(t) * losses * np.isin(t, [0, 1])).sum() / len(x))


@each_device
@given(shape=shapes())
def test_formula_and_gradient(device, shape):
    case = Case(LAYER, (shape, shape), (distinct, answers))
    check_forward(case, device, reference)
    check_gradient(case, device)


@each_device
def test_more_than_a_piece(device):
    case = Case(LAYER, ((2, 1, 40, 41),) * 2, (distinct, answers))
    check_forward(case, device, reference)
    check_gradient(case, device, directions=1)


@each_device
def test_other_targets(device):
    """They do not count in the loss, and have a plain gradient, as in the forks."""
    x = np.array([[0.5, -1, 2, 3], [1, 2, 3, 4]])
    t = np.array([[1, 0, 0.5, -1], [0.5, 2, 0.25, 255]])
    rig = Rig(Case(LAYER, (x.shape, x.shape)), device)
    (loss,) = rig.forward([x, t])
    np.testing.assert_allclose(loss, reference(x, t), rtol=1e-12)
    device.fill(rig.top[0].diff, 1)
    (dx, _), _ = rig.backward()
    w = np.where(np.isin(t, [0, 1]), weights(t), 1)
    np.testing.assert_allclose(dx, w * (1 / (1 + np.exp(-x)) - t) / 2, rtol=1e-12)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"equal counts; got .*every score has a target, 0 or 1"):
        Rig(Case(LAYER, ((2, 3), (2, 4))), cpu)
