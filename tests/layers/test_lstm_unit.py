"""LSTMUnit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.recurrent import cont, sigmoid


def unit(n: int, d: int) -> Case:
    shapes = (1, n, d), (1, n, 4 * d), (1, n)
    return Case('type: "LSTMUnit"', shapes, (distinct, distinct, cont), tops=2, growing=(1, 1, 1))


CASES = [unit(3, 4), unit(1, 1), unit(5, 70)]


def reference(c, gates, goes_on):
    i, f, o, g = np.split(gates, 4, axis=2)
    c = sigmoid(f) * goes_on[:, :, None] * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


@each_device
@given(n=st.integers(1, 6), d=st.integers(1, 7))
def test_formula(device, n, d):
    check_forward(unit(n, d), device, reference)
    check_gradient(unit(n, d), device)


@each_device
def test_many_cells(device):
    check_forward(unit(9, 300), device, reference)


@each_device
def test_the_forget_gate_is_exact_between_stop_and_go(device):
    """f = 1 / 2 and cont = 1 / 2: dgate = cont c f (1 - f), where Caffe's CPU has c cont f (1 - cont f)."""
    rig = Rig(unit(1, 1), device)
    rig.forward([np.full((1, 1, 1), 8.0), np.zeros((1, 1, 4)), np.full((1, 1), 0.5)])
    device.fill(rig.top[0].diff, 1)
    device.fill(rig.top[1].diff, 0)
    dc, dgates, _ = rig.backward()[0]
    np.testing.assert_allclose(dgates.ravel(), [0, 1, 0, 0.5])
    np.testing.assert_allclose(dc.ravel(), [0.25])


@each_device
def test_a_start_hides_what_was_before(device):
    rig = Rig(unit(1, 3), device)
    before = np.array([np.nan, np.inf, -np.inf]).reshape(1, 1, 3)
    c, h = rig.forward([before, np.ones((1, 1, 12)), np.zeros((1, 1))])
    assert np.isfinite(c).all() and np.isfinite(h).all()
    rig.seed_tops()
    dc, dgates, _ = rig.backward()[0]
    assert not dc.any() and np.isfinite(dgates).all()
    assert np.isnan(rig.forward([before, np.ones((1, 1, 12)), np.ones((1, 1))])[0][0, 0, 0])


@each_device
def test_each_gradient_alone(device):
    """What is not asked for stays, what is asked for is the same."""
    rig = Rig(CASES[0], device)
    rig.forward(rig.case.arrays())
    rig.seed_tops()
    wanted = rig.backward()[0]
    for i in (0, 1):
        for blob in rig.bottom:
            device.fill(blob.diff, 42)
        rig.layer.backward(rig.top, [i == 0, i == 1, False], rig.bottom)
        np.testing.assert_array_equal(device.get(rig.bottom[i].diff), wanted[i])
        assert (device.get(rig.bottom[1 - i].diff) == 42).all()


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((3, 4), (1, 3, 16), (1, 3)), r"bottom 0 must have the axes 1, sequences, cells; got \(3, 4\)"),
        (((2, 3, 4), (2, 3, 16), (2, 3)), "bottom 0 must have the axes 1"),
        (((1, 3, 4), (1, 3, 12), (1, 3)), r"bottom 1 must have 4 gates .*\(1, 3, 16\); got \(1, 3, 12\)"),
        (
            ((1, 3, 4), (1, 3, 16), (3,)),
            r"bottom 2 must have a number for every sequence, \(1, 3\); got \(3,\)",
        ),
    ],
)
def test_refuses(cpu, shapes, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case('type: "LSTMUnit"', shapes, tops=2), cpu)
