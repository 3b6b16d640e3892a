"""HashingLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels


def case(n: int, length: int, margin=1.0, tradeoff=0.01, count=1, gradient=False, rest="") -> Case:
    param = f"bi_margin: {margin} tradeoff: {tradeoff}"
    shapes = (n, length), (n, count) if count > 1 else (n,)
    layer = f'type: "HashingLoss" hashing_loss_param {{ {param} }} {rest}'
    return Case(layer, shapes, (distinct, labels(2)), gradient=gradient)


CASES = [case(5, 3), case(4, 2, margin=0.5, count=3, rest="loss_weight: 2"), case(1, 4, gradient=True)]


def pairs(x, y, margin, count):
    """(loss, derivative) of the pairs alone, before it is divided."""
    loss, slope = 0.0, np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            alike = (y[i] * y[j]).sum() > 0 if count > 1 else y[i] == y[j]
            d = x[i] - x[j]
            square = (d * d).sum()
            loss += square if alike else max(margin - square, 0)
            step = 1 if alike else -1 if margin > square else 0
            slope[i] += step * d
            slope[j] -= step * d
    return loss, slope


@each_device
@given(st.integers(2, 6), st.integers(1, 4), st.sampled_from([0.2, 1.0, 4.0]), st.integers(1, 3))
def test_formula_and_gradient(device, n, length, margin, count):
    margin, tradeoff = float(np.float32(margin)), 0.5
    one = case(n, length, margin, tradeoff, count)
    rig, (x, y) = Rig(one, device), one.arrays()
    x *= 2
    (loss,) = rig.forward([x, y])
    between, slope = pairs(x, y, margin, count)
    np.testing.assert_allclose(loss, between / (n * (n - 1)) + tradeoff * np.abs(np.abs(x) - 1).sum() / n)
    (dy,) = rig.seed_tops()
    outward = np.where((x >= 1) | ((x <= 0) & (x >= -1)), 1, -1)
    wanted = slope / (n * (n - 1)) + tradeoff / n * outward
    np.testing.assert_allclose(rig.backward()[0][0], dy * wanted, rtol=1e-9, atol=1e-12)


@each_device
def test_alone_an_item_has_no_pairs(device):
    check_forward(CASES[2], device, lambda x, y: np.array(np.float32(0.01) * np.abs(np.abs(x) - 1).sum()))
    check_gradient(CASES[2], device)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"as many labels for each of 2 items; got \(2, 0\)"):
        Rig(Case('type: "HashingLoss"', ((2, 3), (2, 0))), cpu)
