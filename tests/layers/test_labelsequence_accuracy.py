"""LabelsequenceAccuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.ctc import read, without
from ..support.devices import each_device
from ..support.laws import Case, Rig, distinct, labels


def case(n: int, steps: int, classes: int, length: int, blank: int = 0) -> Case:
    layer = f'type: "LabelsequenceAccuracy" labelsequence_accuracy_param {{ blank_label: {blank} }}'
    return Case(layer, ((n, steps, classes), (n, length)), (distinct, labels(classes)), gradient=False)


CASES = [case(3, 4, 3, 2), case(2, 40, 50, 3, blank=1)]


@each_device
@given(
    n=st.integers(1, 4),
    steps=st.integers(1, 5),
    length=st.integers(0, 3),
    blank=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_formula(device, n, steps, length, blank, seed):
    rng = np.random.default_rng(seed)
    x, lines = rng.integers(0, 3, (n, steps, 2)) * 1.0, rng.integers(0, 2, (n, length)) * 1.0
    right = [read(list(p), blank) == without(line, blank) for p, line in zip(x.argmax(2), lines)]
    np.testing.assert_allclose(
        Rig(case(n, steps, 2, length, blank), device).forward([x, lines])[0], np.mean(right)
    )


@each_device
def test_lines_of_other_lengths(device):
    said = np.array([[1, 1, 0, 1, 2], [0, 0, 0, 0, 0], [2, 2, 2, 1, 1], [2, 1, 0, 0, 0]])
    rig, x = Rig(case(4, 5, 3, 4), device), np.eye(3)[said]
    for lines, wanted in (
        ([[1, 1, 2, 0], [0, 0, 0, 0], [0, 2, 0, 1], [2, 1, 0, 0]], 1),
        ([[1, 1, 2, 2], [0, 0, 0, 1], [0, 2, 0, 1], [2, 0, 0, 0]], 0.25),
    ):
        assert rig.forward([x, np.array(lines, float)])[0] == wanted


@pytest.mark.parametrize(
    "wrong, message",
    [
        (case(4, 2, 3, 2, blank=3), r"blank_label 3 is none of the 3 classes of bottom 0, \(4, 2, 3\)"),
        (Case(CASES[0].layer, ((4, 3), (4, 2))), r"sequences, steps and classes; got \(4, 3\)"),
        (Case(CASES[0].layer, ((4, 2, 3), (2, 2))), r"each of the 4 sequences; got \(2, 2\)"),
    ],
)
def test_refuses(cpu, wrong, message):
    with pytest.raises(ShapeError, match=message):
        Rig(wrong, cpu)
