"""CtcLoss; what it computes is WarpCTCLoss's, whose tests look at it more closely."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError

from ..support.ctc import check_sum, loss
from ..support.devices import each_device
from ..support.laws import Case, Rig, check_gradient, distinct, labels


def case(steps: int, n: int, classes: int, length: int, blank: int = 0) -> Case:
    fields = f"alphabet_size: {classes} time_step: {steps} blank_label: {blank}"
    shapes, makers = ((steps, n, classes), (n, length)), (distinct, labels(classes))
    layer = f'type: "CtcLoss" ctc_loss_param {{ {fields} }}'
    return Case(layer, shapes, makers, gradient=n == 1, growing=(1, 0))


CASES = [case(4, 1, 3, 2), case(3, 2, 4, 3, blank=1)]


@each_device
@pytest.mark.parametrize("blank", [0, 2])
def test_formula_and_gradient(device, blank):
    rng = np.random.default_rng(blank)
    rig = Rig(case(4, 3, 3, 2, blank), device)
    x, lines = rng.standard_normal((4, 3, 3)), rng.integers(0, 3, (3, 2)) * 1.0
    np.testing.assert_allclose(rig.forward([x, lines])[0], loss(x, lines, blank), rtol=1e-9)
    check_sum(rig, x, lines, Rig(case(4, 1, 3, 2, blank), device))
    check_gradient(case(4, 1, 3, 2, blank), device)


def test_images_of_one_pixel(cpu):
    one = Case(
        'type: "CtcLoss" ctc_loss_param { alphabet_size: 3 time_step: 4 }', ((4, 2, 3, 1), (2, 2, 1, 1))
    )
    x, lines = np.random.default_rng(0).standard_normal((4, 2, 3, 1)), np.array([[1, 2], [2, 0]])
    got = Rig(one, cpu).forward([x, lines.reshape(2, 2, 1, 1) * 1.0])[0]
    np.testing.assert_allclose(got, loss(x, lines), rtol=1e-9)


def fields(text: str) -> Case:
    return Case(f'type: "CtcLoss" ctc_loss_param {{ {text} }}', ((4, 2, 3), (2, 2)))


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (fields("time_step: 4"), ConfigError, "ctc_loss_param.alphabet_size must be at least 1"),
        (fields("alphabet_size: 3"), ConfigError, "ctc_loss_param.time_step must be at least 1"),
        (
            fields("alphabet_size: 3 time_step: 5"),
            ShapeError,
            r"5 steps and alphabet_size 3 .*got \(4, 2, 3\)",
        ),
        (fields("alphabet_size: 3 time_step: 4 blank_label: -1"), ShapeError, "the blank must be .*; got -1"),
        (fields("alphabet_size: 3 time_step: 4 blank_index: 1"), ConfigError, "blank_index is not supported"),
    ],
)
def test_refuses(cpu, wrong, error, message):
    with pytest.raises(error, match=message):
        Rig(wrong, cpu)
