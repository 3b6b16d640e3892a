"""SoftmaxWithLossOHEM: what it adds to SoftmaxWithLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import DataError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels

LAYER = 'type: "SoftmaxWithLossOHEM"'
WEIGHTS = ("", "", "loss_weight: 1 loss_weight: 0 ", "loss_weight: 1 loss_weight: 0 loss_weight: 0 ")


def case(n: int, classes: int, tail: tuple, tops: int, more: str = "") -> Case:
    shapes = ((n, classes, *tail), (n, 1, *tail))
    return Case(f"{LAYER} {WEIGHTS[tops]}{more}", shapes, (distinct, labels(classes)), tops=tops)


def losses(x, t, *, ignore=None, z=None):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    each = -np.log(np.take_along_axis(p, t.astype(int), 1))
    each[t == ignore] = 0
    return np.array(each.sum() / (z or max(1, (t != ignore).sum()))), p, each


CASES = [
    case(3, 4, (2, 2), 3, "loss_param { ignore_label: 1 }"),
    case(5, 3, (), 3),
    case(4, 2, (1, 1), 1),
    case(4, 5, (2,), 2, "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 32 }"),
]


@each_device
@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from([(), (1, 1), (3, 2)]), st.integers(1, 3))
def test_formula_and_gradient(device, n, classes, tail, tops):
    one = case(n, classes, tail, tops, "loss_param { ignore_label: 1 }")
    check_forward(one, device, lambda x, t: losses(x, t, ignore=1)[:tops])
    check_gradient(one, device)


@pytest.mark.parametrize(
    ("how", "z"),
    [
        ("PRE_FIXED pre_fixed_normalizer: 64", 64),
        ("PRE_FIXED", 1),
        ("BATCH_SIZE", 3),
        ("NONE", 1),
        ("FULL", 12),
    ],
)
def test_the_divisor(cpu, how, z):
    one = case(3, 4, (2, 2), 3, f"loss_param {{ normalization: {how} }}")
    check_forward(one, cpu, lambda x, t: losses(x, t, z=z))


@each_device
def test_a_label_that_is_no_class(device):
    rig = Rig(case(2, 3, (), 3), device)
    with pytest.raises(DataError, match=r"label 3 at \[1, 0\] of bottom 1 is none of the 3 classes"):
        rig.forward([np.zeros((2, 3)), np.array([[0.0], [3]])])
    each = device.get(rig.top[2].data).ravel()
    np.testing.assert_allclose(each, [np.log(3), 0])
