"""SmoothL1Loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from ..support.smooth_l1 import apart, f, near
from ..support.strategies import shapes

LAYER = 'type: "SmoothL1Loss"'


def case(shape: tuple, bottoms: int, sigma: float = 1, more: str = "") -> Case:
    text = f"{LAYER} {more} smooth_l1_loss_param {{ sigma: {sigma} }}"
    return Case(text, (shape,) * bottoms, (apart, near, apart, apart))


def loss(x, t, inside=1, outside=1, *, s=1.0):
    return np.array((outside * f(inside * (x - t), s)).sum() / len(x))


CASES = [
    case((4, 3), 2),
    case((2, 3, 2, 2), 3),
    case((3, 5), 4, 3, "loss_weight: 2"),
    Case(LAYER, ((3, 4), (3, 2, 2)), (apart, near)),
]


@each_device
@given(shape=shapes(), bottoms=st.integers(2, 4), sigma=st.sampled_from([1, 3, 0.5]))
def test_formula_and_gradient(device, shape, bottoms, sigma):
    one = case(shape, bottoms, sigma)
    check_forward(one, device, lambda *blobs: loss(*blobs, s=sigma**2))
    check_gradient(one, device, rtol=1e-5)  # of random numbers some lie near a bend


@each_device
@pytest.mark.parametrize("count", [1023, 1025, 5000])
def test_many_elements(device, count):
    for bottoms in (2, 4):
        check_forward(case((2, count), bottoms), device, loss)


def test_normalization_none_divides_by_nothing(cpu):
    wanted = lambda x, t: 4 * loss(x, t)  # noqa: E731
    check_forward(case((4, 3), 2, more="loss_param { normalization: NONE }"), cpu, wanted)
    check_forward(case((4, 3), 2, more="loss_param { normalization: FULL }"), cpu, loss)


def test_the_loss_counts_without_loss_weight(cpu):
    rig = Rig(case((4, 3), 4), cpu)
    (y,) = rig.forward(rig.case.arrays())
    assert rig.net.loss() == y


def test_refuses(cpu):
    with pytest.raises(ShapeError, match="same batch size"):
        Rig(Case(LAYER, ((4, 3), (3, 4))), cpu)
    with pytest.raises(ShapeError, match=r"bottom 2 must have a weight for each element of bottom 0"):
        Rig(Case(LAYER, ((4, 3), (4, 3), (4, 1))), cpu)
    with pytest.raises(ConfigError, match="sigma must be greater than 0; got 0"):
        Rig(case((4, 3), 2, 0), cpu)
    with pytest.raises(ConfigError, match="abssum: true"):
        Rig(Case(f"{LAYER} smooth_l1_loss_param {{ abssum: true }}", ((4, 3), (4, 3))), cpu)
