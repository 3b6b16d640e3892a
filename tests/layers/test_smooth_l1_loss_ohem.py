"""SmoothL1LossOHEM."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.smooth_l1 import apart, f, near

LAYER = 'type: "SmoothL1LossOHEM"'


def case(shape: tuple, bottoms: int, tops: int, more: str = "") -> Case:
    return Case(f"{LAYER} {more}", (shape,) * bottoms, (apart, near, apart), tops=tops)


def losses(x, t, w=1, *, z=None):
    each = f(w * (x - t), 1).sum(1, keepdims=True)
    return np.array(each.sum() / (z or each.size)), each


CASES = [case((3, 4, 2, 2), 3, 2), case((5, 3), 2, 1), case((2, 8, 1, 1), 3, 1, "loss_weight: 3")]


@each_device
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(2, 3), st.integers(1, 2))
def test_formula_and_gradient(device, n, channels, side, bottoms, tops):
    one = case((n, channels, side, side), bottoms, tops)
    check_forward(one, device, lambda *blobs: losses(*blobs)[:tops])
    check_gradient(one, device, rtol=1e-5)  # of random numbers some lie near a bend


@each_device
def test_many_positions(device):
    check_forward(case((3, 2, 30, 20), 3, 2), device, losses)


@pytest.mark.parametrize(
    ("how", "z"),
    [
        ("normalization: PRE_FIXED pre_fixed_normalizer: 128", 128),
        ("normalization: PRE_FIXED", 1),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 0.5", 1),
        ("normalization: BATCH_SIZE pre_fixed_normalizer: 128", 3),
        ("normalization: NONE", 1),
        ("normalization: FULL", 12),
        ("normalize: false", 3),
        ("", 12),
    ],
)
def test_the_divisor(cpu, how, z):
    check_forward(case((3, 4, 2, 2), 3, 2, f"loss_param {{ {how} }}"), cpu, lambda *b: losses(*b, z=z))


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"bottom 0 must have channels on axis 1; got \(4,\)"):
        Rig(Case(LAYER, ((4,), (4,))), cpu)
