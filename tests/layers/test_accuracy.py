"""Accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, distinct, labels
from ..support.strategies import shapes


def layer(conf: str = "", rest: str = "") -> str:
    return f'type: "Accuracy" accuracy_param {{ {conf} }} {rest}'


def ties(shape, rng) -> np.ndarray:
    """Few values, so that many are equal."""
    return rng.integers(0, 3, shape).astype(np.float64)


def case(conf: str, scores: tuple, targets: tuple, classes: int = 6, **more) -> Case:
    return Case(layer(conf), (scores, targets), (ties, labels(classes)), gradient=False, **more)


CASES = [
    case("", (9, 6), (9,)),
    case("top_k: 3", (9, 6), (9, 1), tops=2),
    case("top_k: 2 ignore_label: 1", (4, 6, 2, 3), (4, 2, 3), tops=2),
    case("axis: -1", (3, 2, 6), (3, 2)),
    case("ignore_label: 255", (5, 6), (5,), phase="TEST"),
]


def reference(x, t, axis: int, top_k: int, ignore: int | None):
    """Accuracy and accuracy per class, position by position."""
    x = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    t = np.trunc(t).astype(int).ravel()
    right, counted = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for scores, label in zip(x, t):
        if label != ignore:
            counted[label] += 1
            right[label] += sum(s >= scores[label] for s in scores) <= top_k
    return np.array(right.sum() / max(1, counted.sum())), right / np.maximum(1, counted)


@each_device
@given(
    data=st.data(),
    shape=shapes(min_rank=2),
    ignore=st.sampled_from([None, 0, 1]),
    tops=st.sampled_from([1, 2]),
    maker=st.sampled_from([ties, distinct]),
)
def test_formula(device, data, shape, ignore, tops, maker):
    axis = data.draw(st.integers(0, len(shape) - 1))
    top_k = data.draw(st.integers(1, shape[axis]))
    conf = f"axis: {axis} top_k: {top_k}" + ("" if ignore is None else f" ignore_label: {ignore}")
    some = Case(
        layer(conf),
        (shape, tuple(np.delete(shape, axis))),
        (maker, labels(shape[axis])),
        tops=tops,
        gradient=False,
    )
    check_forward(some, device, lambda x, t: reference(x, t, axis, top_k, ignore)[:tops])


@each_device
def test_ties_count_against_the_label(device):
    rig = Rig(case("", (3, 3), (3,)), device)
    (y,) = rig.forward([np.array([[2.0, 2, 0], [2, 1, 1], [0, 0, 0]]), np.zeros(3)])
    np.testing.assert_allclose(y, 1 / 3, rtol=1e-12)


@each_device
@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_nan_is_not_right(device, top_k):
    """As the label's score never; as another score it is among the highest."""
    rig = Rig(case(f"top_k: {top_k}", (3, 3), (3,)), device)
    x = np.array([[np.nan, 1, 2], [5, np.nan, 1], [np.nan] * 3])
    (y,) = rig.forward([x, np.zeros(3)])
    np.testing.assert_allclose(y, (top_k >= 2) / 3, rtol=1e-12)


@each_device
def test_nothing_to_count(device):
    rig = Rig(case("ignore_label: -1", (2, 3), (2,), tops=2), device)
    y, by_class = rig.forward([np.ones((2, 3)), np.full(2, -1.0)])
    assert y == 0
    np.testing.assert_array_equal(by_class, np.zeros(3))


@each_device
@pytest.mark.parametrize("count", [1024, 1025, 3000])
def test_many_positions(device, count):
    some = Case(
        layer("ignore_label: 2"), ((1, 4, count), (count,)), (distinct, labels(4)), tops=2, gradient=False
    )
    check_forward(some, device, lambda x, t: reference(x, t, 1, 1, 2))


@each_device
@pytest.mark.parametrize("label", [3, -1, np.nan])
def test_a_label_that_is_no_class(device, label):
    rig = Rig(case("", (2, 3), (2,), tops=2), device)
    x = np.array([[3.0, 2, 1], [3, 2, 1]])
    with pytest.raises(DataError, match=r"label \S+ at \[1\] of bottom 1 is none of the 3 classes 0 to 2"):
        rig.forward([x, np.array([0, label])])
    assert device.get(rig.top[0].data) == 0.5  # it counts, and is wrong
    with pytest.raises(DataError, match=r"accuracy_param \{ ignore_label: 3 \}|must be whole numbers|-1 \}"):
        rig.forward([x, np.array([0, label])])
    rig.forward([x, np.zeros(2)])


@each_device
def test_force_backward_passes_nothing_down(device):
    rig = Rig(case("", (2, 3), (2,)), device)
    rig.net.forward()
    rig.net.backward()


def test_no_loss_weight(cpu):
    assert Rig(case("", (2, 3), (2,)), cpu).net.loss_weight("y0") == 0


def test_refusals(cpu):
    with pytest.raises(ConfigError, match="top_k must be at least 1"):
        Rig(case("top_k: 0", (2, 3), (2,)), cpu)
    with pytest.raises(ShapeError, match="top_k is 4; bottom 0 has 3 classes"):
        Rig(case("top_k: 4", (2, 3), (2,)), cpu)
    with pytest.raises(ShapeError, match="must hold 2 labels"):
        Rig(case("", (2, 3), (4,)), cpu)
