"""Reduction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

REDUCTION = 'type: "Reduction" reduction_param {{ {} }}'

CASES = [
    Case(REDUCTION.format(""), ((2, 3, 2),)),
    Case(REDUCTION.format("operation: ASUM axis: 1 coeff: -2"), ((3, 4),)),
    Case(REDUCTION.format("operation: SUMSQ axis: 2 coeff: 0.5"), ((2, 3, 4, 2),)),
    Case(REDUCTION.format("operation: MEAN axis: -1"), ((3, 2, 5),)),
    Case(REDUCTION.format("operation: SUMSQ"), ((4, 3),)),
]
FORMULAS = {
    "SUM": lambda x: x.sum(-1),
    "ASUM": lambda x: np.abs(x).sum(-1),
    "SUMSQ": lambda x: (x**2).sum(-1),
    "MEAN": lambda x: x.mean(-1),
}
each_operation = pytest.mark.parametrize("operation", FORMULAS)


@each_device
@each_operation
@given(shape=shapes(), coeff=st.sampled_from([1, -1.5, 0, 0.25]), data=st.data())
def test_formula(device, operation, shape, coeff, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    case = Case(REDUCTION.format(f"operation: {operation} axis: {axis} coeff: {coeff}"), (shape,))
    front = shape[: axis % len(shape)]
    check_forward(
        case, device, lambda x: coeff * np.asarray(FORMULAS[operation](x.reshape(*front, -1))), rtol=1e-12
    )
    check_gradient(case, device)


@each_device
@each_operation
@pytest.mark.parametrize("length", [255, 257, 9000])
def test_long_rows(device, operation, length):
    """Longer than a block of threads, and than a piece of the CPU's sums."""
    case = Case(REDUCTION.format(f"operation: {operation} axis: 1"), ((2, length),))
    check_forward(case, device, FORMULAS[operation])
    rig = Rig(case, device)
    (x,) = case.arrays()
    rig.forward([x])
    (dy,) = rig.seed_tops()
    (dx,), _ = rig.backward()
    slope = {"SUM": np.ones_like(x), "ASUM": np.sign(x), "SUMSQ": 2 * x, "MEAN": np.ones_like(x) / length}
    np.testing.assert_allclose(dx, dy[:, None] * slope[operation], rtol=1e-15)


@each_device
def test_the_sign_of_zero_is_zero(device):
    rig = Rig(Case(REDUCTION.format("operation: ASUM"), ((4,),)), device)
    rig.forward([np.array([0.0, -0.0, 1e-300, -np.inf])])
    device.put(np.array(3.0), rig.top[0].diff)
    (dx,), _ = rig.backward()
    np.testing.assert_array_equal(dx, [0, 0, 3, -3])


@each_device
@each_operation
def test_nan_stays_in_its_row(device, operation):
    rig = Rig(Case(REDUCTION.format(f"operation: {operation} axis: 1"), ((2, 2),)), device)
    (y,) = rig.forward([np.array([[np.nan, 1], [1, 1]])])
    assert np.isnan(y[0]) and np.isfinite(y[1])
    rig.seed_tops()
    (dx,), _ = rig.backward()
    assert np.isnan(dx[0, 0]) == (operation in ("ASUM", "SUMSQ"))
    assert np.isfinite(dx[0, 1]) and np.isfinite(dx[1]).all()


def test_many_small_numbers_in_float32():
    """One sum in float32 would end at 2^24 * 2^-24 = 1 after as many; pieces go on."""
    cpu = make_device("cpu", np.float32)
    case = Case(REDUCTION.format(""), ((3 << 20,),))
    (y,) = Rig(case, cpu).forward([np.full(3 << 20, 0.1, np.float32)])
    np.testing.assert_allclose(y, np.float32(0.1) * float(3 << 20), rtol=1e-6)


def test_as_a_loss(cpu):
    rig = Rig(Case(REDUCTION.format("coeff: 2") + " loss_weight: 3", ((2, 2),)), cpu)
    cpu.put(np.ones((2, 2)), rig.bottom[0].data)
    rig.net.forward()
    assert rig.net.loss() == 24
    rig.net.backward()
    np.testing.assert_array_equal(cpu.get(rig.bottom[0].diff), np.full((2, 2), 6.0))


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("axis: 2", (2, 3), "axis 2 does not exist"),
        ("", (), "axis 0 does not exist"),
        ("operation: MEAN axis: 1", (2, 0), "no elements to take the mean of"),
    ],
)
def test_refuses(cpu, fields, shape, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(REDUCTION.format(fields), (shape,)), cpu)
