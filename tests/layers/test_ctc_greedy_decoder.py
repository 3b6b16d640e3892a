"""CTCGreedyDecoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.ctc import read, without
from ..support.devices import each_device
from ..support.laws import Case, Rig, distinct, labels


def case(
    steps: int, n: int, classes: int, length: int | None = None, blank: int = 0, merge: bool = True
) -> Case:
    fields = f"blank_index: {blank} ctc_merge_repeated: {str(merge).lower()}"
    shapes = ((steps, n, classes),) + (((n, length),) if length is not None else ())
    layer = f'type: "CTCGreedyDecoder" ctc_decoder_param {{ {fields} }}'
    return Case(layer, shapes, (distinct, labels(classes)), gradient=False, growing=(1, 0)[: len(shapes)])


CASES = [case(5, 3, 4), case(4, 2, 3, blank=-1, merge=False), case(6, 4, 3, 5), case(40, 3, 90, 7, blank=2)]


def changes(a: list, b: list) -> int:
    """How many insertions, deletions and exchanges make b of a, by their recursion."""
    if not a or not b:
        return len(a) + len(b)
    return min(changes(a[1:], b) + 1, changes(a, b[1:]) + 1, changes(a[1:], b[1:]) + (a[0] != b[0]))


@each_device
@given(
    steps=st.integers(1, 6),
    n=st.integers(1, 3),
    classes=st.integers(1, 3),
    length=st.integers(0, 4),
    blank=st.integers(-1, 0),
    merge=st.booleans(),
    seed=st.integers(0, 99),
)
def test_formula(device, steps, n, classes, length, blank, merge, seed):
    rng, none = np.random.default_rng(seed), blank % classes
    x = rng.integers(0, 3, (steps, n, classes)) * 1.0  # of equal ones the first
    lines = rng.integers(0, classes, (n, length)) * 1.0
    said = [read(list(path), none, merge) for path in x.argmax(2).T]
    (y,) = Rig(case(steps, n, classes, None, blank, merge), device).forward([x])
    np.testing.assert_array_equal(y, [np.reshape(s + [-1] * (steps - len(s)), (-1, 1, 1)) for s in said])
    (y,) = Rig(case(steps, n, classes, length, blank, merge), device).forward([x, lines])
    pairs = [(s, without(line, none)) for s, line in zip(said, lines)]
    errors = np.mean([changes(s, line) / max(len(s), len(line), 1) for s, line in pairs])
    wanted = [1 - errors, np.mean([s == line for s, line in pairs])]
    np.testing.assert_allclose(y.ravel(), wanted, rtol=1e-12, atol=1e-12)


@each_device
def test_many_classes_and_nan(device):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 100))
    x[:, :, 17] = np.nan
    x[1, 1] = np.nan
    (y,) = Rig(case(3, 2, 100, blank=0, merge=False), device).forward([x])
    best = np.where(np.isnan(x), -np.inf, x).argmax(2).T
    np.testing.assert_array_equal(y[0].ravel(), best[0])
    np.testing.assert_array_equal(y[1].ravel(), [best[1, 0], best[1, 2], -1])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (case(4, 2, 3, blank=3), "blank_index 3 is none of the 3 classes"),
        (Case('type: "CTCGreedyDecoder"', ((4, 3),)), r"steps, sequences and classes; got \(4, 3\)"),
        (Case('type: "CTCGreedyDecoder"', ((4, 2, 3), (4, 2))), r"each of the 2 sequences; got \(4, 2\)"),
    ],
)
def test_refuses(cpu, wrong, message):
    with pytest.raises(ShapeError, match=message):
        Rig(wrong, cpu)
