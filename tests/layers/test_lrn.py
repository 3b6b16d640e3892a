"""LRN."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.strategies import shapes

LRN = 'type: "LRN" lrn_param {{ {} }}'
SHAPE = ((2, 7, 3, 4),)

CASES = [
    Case(LRN.format(""), SHAPE),
    Case(LRN.format("local_size: 3 alpha: 2.5 beta: 0.6 k: 1.75"), SHAPE),
    Case(LRN.format("local_size: 15 alpha: 3"), SHAPE),
    Case(LRN.format("local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL"), SHAPE),
    Case(LRN.format("local_size: 5 beta: 0.5 norm_region: WITHIN_CHANNEL"), SHAPE),
]


def squares(x, *reach):
    """Sums of squares over a box that reaches reach[i] along axis i - 3."""
    pads = [(0, 0)] + [(r, r) for r in reach]
    boxes = np.lib.stride_tricks.sliding_window_view(
        np.pad(x**2, pads), [2 * r + 1 for r in reach], axis=(1, 2, 3)
    )
    return boxes.sum((-3, -2, -1))


def reference(x, size, alpha, beta, k, within):
    r = size // 2
    if within:
        return x * (1 + alpha / size**2 * squares(x, 0, r, r)) ** -beta
    return x * (k + alpha / size * squares(x, r, 0, 0)) ** -beta


@each_device
@given(
    shape=shapes(4, 4),
    size=st.sampled_from([1, 3, 5, 9]),
    alpha=st.sampled_from([0.0, 0.5, 4.0]),
    beta=st.sampled_from([0.75, 0.5, 1.25]),
    k=st.sampled_from([1.0, 2.5]),
    within=st.booleans(),
)
def test_formula_and_gradient(device, shape, size, alpha, beta, k, within):
    region = "WITHIN_CHANNEL" if within else "ACROSS_CHANNELS"
    layer = LRN.format(f"local_size: {size} alpha: {alpha} beta: {beta} k: {k} norm_region: {region}")
    case = Case(layer, (shape,))
    check_forward(case, device, lambda x: reference(x, size, alpha, beta, k, within))
    check_gradient(case, device)


@each_device
def test_a_worked_example(device):
    rig = Rig(Case(LRN.format("local_size: 3 alpha: 3 beta: 1 k: 2"), ((1, 3, 1, 1),)), device)
    (y,) = rig.forward([np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)])
    np.testing.assert_allclose(y.reshape(-1), [1 / 7, 1 / 8, 1 / 5])


def test_lines_longer_than_a_block(cpu):
    """The loops cut long lines; a neighbourhood across the cut must not notice."""
    for within, shape in ((True, (1, 1, 2, 4100)), (False, (1, 3, 2, 2050))):
        region = "WITHIN_CHANNEL" if within else "ACROSS_CHANNELS"
        case = Case(LRN.format(f"local_size: 5 norm_region: {region}"), (shape,))
        check_forward(case, cpu, lambda x, within=within: reference(x, 5, 1, 0.75, 1, within))
        check_gradient(case, cpu, directions=1)


@each_device
def test_within_channel_ignores_k(device):
    arrays = []
    for k in (1, 7):
        case = Case(LRN.format(f"local_size: 3 k: {k} norm_region: WITHIN_CHANNEL"), SHAPE)
        arrays += Rig(case, device).forward(case.arrays())
    np.testing.assert_array_equal(*arrays)


@each_device
def test_infinity_and_nan_stay_near_where_they_are(device):
    """No running sum: what leaves the window leaves no trace."""
    x = np.ones((1, 9, 1, 1))
    x[0, 2] = np.inf
    rig = Rig(Case(LRN.format("local_size: 3"), (x.shape,)), device)
    (y,) = rig.forward([x])
    assert np.isnan(y[0, 2, 0, 0]) and (y[0, [1, 3]] == 0).all() and np.isfinite(y[0, 4:]).all()


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="local_size must be odd; got 4"):
        Rig(Case(LRN.format("local_size: 4"), SHAPE), cpu)
    with pytest.raises(ShapeError, match=r"bottom 0 must have 4 axes \(n, c, h, w\); got \(2, 3\)"):
        Rig(Case(LRN.format(""), ((2, 3),)), cpu)
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(Case(LRN.format(""), SHAPE), cpu, in_place=True)
