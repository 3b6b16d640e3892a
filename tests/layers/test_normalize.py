"""Normalize, of three forks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

FILL = "scale_filler { value: 20 }"
# The gradient by x is exact where all factors are equal: where each channel has one they are not learned.
FIXED = "param { lr_mult: 0 }"


def ssd(shape: tuple, across: bool, shared: bool, more: str = "", rest: str = "") -> Case:
    flags = f"across_spatial: {across} channel_shared: {shared}".lower()
    return Case(f'type: "Normalize" norm_param {{ {flags} {more} }} {rest}', (shape,))


def happynear(shape: tuple, kind: str) -> Case:
    return Case(f'type: "Normalize" normalize_param {{ normalize_type: "{kind}" }}', (shape,))


CASES = [
    ssd((2, 3, 4, 5), False, False, FILL, FIXED),
    ssd((2, 3, 4, 5), True, True, "eps: 0.01"),
    ssd((3, 4, 2, 2), False, True, "eps: 0.5"),
    ssd((2, 3, 4), True, False, FILL, FIXED),
    ssd((3, 5), False, False, FILL, FIXED),
    happynear((2, 3, 2, 4), "L2"),
    happynear((2, 3, 5), "L1"),
    Case('type: "Normalize"', ((2, 3, 2, 2),)),
]


def reference(x, s, across, eps):
    axes = tuple(range(1, x.ndim)) if across else (1,)
    factors = np.reshape(s, (-1, *[1] * (x.ndim - 2)))
    return factors * x / np.sqrt((x * x).sum(axes, keepdims=True) + eps)


@each_device
@given(shape=shapes(min_rank=2), across=st.booleans(), shared=st.booleans())
def test_of_ssd(device, shape, across, shared):
    case = ssd(shape, across, shared, "eps: 0.25")
    check_forward(case, device, lambda x, s: reference(x, s, across, 0.25))
    check_gradient(ssd(shape, across, shared, "eps: 0.25", "" if shared else FIXED), device, directions=1)


@each_device
@pytest.mark.parametrize("across", [True, False])
def test_gradients_with_a_factor_for_every_channel(device, across):
    """That of the factors is exact; that of x is the fork's, whose factor stands outside the sum."""
    rig = Rig(ssd((2, 3, 4, 2), across, False, "eps: 0.01"), device)
    (x,) = rig.case.arrays()
    rig.forward([x])
    (dy,) = rig.seed_tops()
    (dx,), (ds,) = rig.backward()
    s = device.get(rig.layer.params[0].data).reshape(3, 1, 1)
    axes = (1, 2, 3) if across else (1,)
    q = np.sqrt((x * x).sum(axes, keepdims=True) + np.float32(0.01))
    dot = (x * dy).sum(axes, keepdims=True)
    np.testing.assert_allclose(dx, s * (dy - x * dot / q**2) / q, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ds, (x * dy / q).sum((0, 2, 3)), rtol=1e-9)


@each_device
@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_of_happynear(device, kind):
    def formula(x):
        size = np.abs(x).sum(1, keepdims=True) if kind == "L1" else (x * x).sum(1, keepdims=True)
        return x / (size + 1e-6) if kind == "L1" else x / np.sqrt(size + 1e-6)

    check_forward(happynear((2, 5, 3, 2), kind), device, formula, rtol=1e-7)


@each_device
def test_of_yjxiong(device):
    check_forward(CASES[-1], device, lambda x: reference(x, 1.0, True, 0))


@each_device
def test_more_positions_than_a_piece(device):
    case = ssd((1, 2, 30, 37), False, True)
    check_forward(case, device, lambda x, s: reference(x, s, False, 1e-10))
    check_gradient(case, device, directions=1)


@each_device
def test_zeros_stay_zero_and_factors_of_zero_have_a_gradient(device):
    rig = Rig(ssd((1, 2, 1, 2), False, True), device)
    device.fill(rig.layer.params[0].data, 0)
    (y,) = rig.forward([np.array([3.0, 0, 4, 0]).reshape(1, 2, 1, 2)])
    np.testing.assert_array_equal(y, 0)
    device.fill(rig.top[0].diff, 1)
    _, (ds,) = rig.backward()
    np.testing.assert_allclose(ds, 0.6 + 0.8)


@pytest.mark.parametrize(
    ("fields", "shape", "error", "message"),
    [
        ("norm_param { } normalize_param { }", (2, 3), ConfigError, "are of different layers: give one"),
        ("norm_param { eps: -1 }", (2, 3), ConfigError, "eps must be at least 0; got -1"),
        ("norm_param { add_eps_before_sqrt: false }", (2, 3), ConfigError, "add_eps_before_sqrt is not supp"),
        ("norm_param { bp_norm: true }", (2, 3), ConfigError, "norm_param.bp_norm is not supported"),
        ("normalize_param { fix_gradient: true }", (2, 3), ConfigError, "fix_gradient is not supported"),
        ('normalize_param { normalize_type: "L3" }', (2, 3), ConfigError, "must be L1 or L2; got 'L3'"),
        ("norm_param { }", (3,), ShapeError, "must have a channel axis"),
    ],
)
def test_refuses(cpu, fields, shape, error, message):
    with pytest.raises(error, match=message):
        Rig(Case(f'type: "Normalize" {fields}', (shape,)), cpu)
