"""WarpCTCLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.ctc import check_sum, loss
from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels


def case(steps: int, n: int, classes: int, length: int, blank: int = 0, more: str = "") -> Case:
    """The gradient is that of the loss only for one sequence."""
    layer = f'type: "WarpCTCLoss" {more} ctc_loss_param {{ blank_index: {blank} }}'
    shapes, makers = ((steps, n, classes), (n, length)), (distinct, labels(classes))
    return Case(layer, shapes, makers, gradient=n == 1, growing=(1, 0))


CASES = [
    case(5, 1, 4, 3),
    case(4, 3, 3, 2, blank=2),
    case(6, 1, 5, 2, -1, "loss_weight: 2"),
    case(3, 2, 2, 4),
]


@each_device
@given(
    steps=st.integers(1, 4),
    n=st.integers(1, 2),
    classes=st.integers(2, 3),
    length=st.integers(0, 3),
    blank=st.integers(-1, 1),
    seed=st.integers(0, 99),
)
def test_the_sum_over_all_paths(device, steps, n, classes, length, blank, seed):
    one, rng = case(steps, n, classes, length, blank), np.random.default_rng(seed)
    rig = Rig(one, device)
    x, lines = 3 * rng.standard_normal((steps, n, classes)), rng.integers(0, classes, (n, length)) * 1.0
    np.testing.assert_allclose(
        rig.forward([x, lines])[0], loss(x, lines, blank % classes), rtol=1e-9, atol=1e-12
    )


@each_device
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 3))
def test_gradient_of_one_sequence(device, steps, classes, length):
    check_gradient(case(steps, 1, classes, length), device)


@each_device
def test_gradient_of_a_batch_is_not_divided(device):
    rng = np.random.default_rng(0)
    x, lines = rng.standard_normal((7, 3, 4)), np.array([[1.0, 1, 2], [0, 3, 0], [0, 0, 0]])
    check_sum(Rig(case(7, 3, 4, 3), device), x, lines, Rig(case(7, 1, 4, 3), device))


@each_device
def test_a_line_that_is_too_long_counts_nothing(device):
    """Two equal labels need a blank between them."""
    rig = Rig(case(3, 2, 3, 2), device)
    x = np.random.default_rng(0).standard_normal((3, 2, 3))
    lines = np.array([[1.0, 1], [2, 0]])
    np.testing.assert_allclose(rig.forward([x, lines])[0], loss(x, lines), rtol=1e-12)
    rig = Rig(case(2, 2, 3, 2), device)
    np.testing.assert_allclose(rig.forward([x[:2], lines])[0], loss(x[:2], lines), rtol=1e-12)
    rig.seed_tops()
    (dx, _), _ = rig.backward()
    assert not dx[:, 0].any() and dx[:, 1].all()


@each_device
def test_a_likelihood_too_small_for_a_float(device):
    """-log p is some 10^5 here, and gradients are those of a path that must be taken."""
    rig, steps = Rig(case(40, 1, 3, 40), device), 40
    x = np.zeros((steps, 1, 3))
    x[:, 0, 0] = 3000.0
    lines = np.tile([1.0, 2.0], steps // 2)[None]
    (y,) = rig.forward([x, lines])
    np.testing.assert_allclose(y, 3000 * steps, rtol=1e-6)
    rig.device.fill(rig.top[0].diff, 1)
    (dx, _), _ = rig.backward()
    wanted = np.tile([[1.0, -1, 0], [1, 0, -1]], (steps // 2, 1))
    np.testing.assert_allclose(dx[:, 0], wanted, atol=1e-9)


def test_many_steps_and_classes(cpu):
    """As long as a line of text: against its own smaller pieces by finite differences."""
    check_gradient(case(30, 1, 70, 12), cpu, directions=1)
    check_forward(case(1, 40, 3, 1), cpu, loss)


@each_device
def test_nan_is_seen(device):
    rig = Rig(case(4, 2, 3, 2), device)
    x, lines = np.zeros((4, 2, 3)), np.ones((2, 2))
    x[2, 1, 0] = np.nan
    assert np.isnan(rig.forward([x, lines])[0])


@each_device
def test_a_label_that_is_no_class_is_named(device):
    rig = Rig(case(4, 2, 3, 2), device)
    with pytest.raises(DataError, match=r"label 3 at \[1, 0\] of bottom 1 is none of the 3 classes 0 to 2"):
        rig.forward([np.zeros((4, 2, 3)), np.array([[1.0, 2], [3, -1]])])
    assert np.isnan(rig.get(rig.top[0]))


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (case(4, 2, 3, 2, blank=3), ShapeError, r"the blank must be one of the 3 classes .*; got 3"),
        (
            Case('type: "WarpCTCLoss"', ((4, 6), (2, 3))),
            ShapeError,
            r"steps \(1 or more\), seq.*got \(4, 6\)",
        ),
        (
            Case('type: "WarpCTCLoss"', ((4, 2, 3), (3, 2))),
            ShapeError,
            r"each of the 2 sequences; got \(3, 2\)",
        ),
        (Case('type: "WarpCTCLoss"', ((4, 2, 3),) * 3), ShapeError, "takes 2 bottoms; got 3"),
        (
            Case('type: "WarpCTCLoss" ctc_loss_param { time_step: 4 }', ((4, 2, 3), (2, 2))),
            ConfigError,
            "ctc_loss_param.time_step is not supported",
        ),
    ],
)
def test_refuses(cpu, wrong, error, message):
    with pytest.raises(error, match=message):
        Rig(wrong, cpu)
