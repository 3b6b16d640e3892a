"""MVN."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from ..support.strategies import shapes

MVN = 'type: "MVN" mvn_param {{ {} }}'


def mvn(shape: tuple, variance: bool = True, across: bool = False, more: str = "") -> Case:
    fields = f"normalize_variance: {variance} across_channels: {across} {more}".lower()
    return Case(MVN.format(fields), (shape,), in_place=len(shape) == 4)


CASES = [
    Case('type: "MVN"', ((2, 3, 4, 5),)),
    mvn((2, 3, 4, 2), across=True),
    mvn((2, 3, 4, 2), variance=False),
    mvn((2, 3, 4, 2), variance=False, across=True, more="eps: 0.5"),
    mvn((3, 4), across=True),
    mvn((2, 1, 6)),
    mvn((1, 2, 5, 4), more="eps: 0"),
]


EPS = float(np.float32(1e-9))


def reference(x, variance, across, eps=EPS):
    x = x.reshape(x.shape + (1,) * (4 - x.ndim))
    axes = (1, 2, 3) if across else (2, 3)
    away = x - x.mean(axes, keepdims=True)
    return away / (x.std(axes, keepdims=True) + eps) if variance else away


@each_device
@given(shape=shapes(max_rank=4), variance=st.booleans(), across=st.booleans())
def test_formula(device, shape, variance, across):
    case = mvn(shape, variance, across)
    check_forward(case, device, lambda x: reference(x, variance, across))
    rows = np.prod(shape[1:] if across else shape[2:], dtype=int)
    if rows > 2 or not variance:  # y is 0 for one element, and has a kink for two
        check_gradient(case, device)


@each_device
@pytest.mark.parametrize("eps", [1e-3, 0.5, 10])
def test_eps_is_outside_the_root(device, eps):
    case = mvn((2, 3, 3, 4), more=f"eps: {eps}")
    check_forward(case, device, lambda x: reference(x, True, False, float(np.float32(eps))))


@each_device
def test_the_gradient_of_a_large_eps_is_caffes(device):
    rig = Rig(mvn((2, 1, 3, 4), more="eps: 0.5"), device)
    (x,) = rig.case.arrays()
    (y,) = rig.forward([x])
    (dy,) = rig.seed_tops()
    (dx,), _ = rig.backward()
    mean = lambda v: v.mean((2, 3), keepdims=True)  # noqa: E731
    np.testing.assert_allclose(dx, (dy - mean(dy) - y * mean(dy * y)) / (x.std((2, 3), keepdims=True) + 0.5))


@each_device
def test_rows_longer_than_a_block(device):
    check_forward(mvn((2, 2, 40, 17)), device, lambda x: reference(x, True, False))
    check_gradient(mvn((2, 2, 20, 17), across=True), device)


@each_device
def test_a_constant_channel_becomes_zero(device):
    rig = Rig(CASES[0], device)
    (x,) = rig.case.arrays()
    x[1, 2] = 7.25
    (y,) = rig.forward([x])
    np.testing.assert_array_equal(y[1, 2], 0)
    assert np.isfinite(y).all()


@each_device
def test_one_nan_spoils_its_channel_alone(device):
    rig = Rig(CASES[0], device)
    (x,) = rig.case.arrays()
    x[0, 1, 2, 3] = np.nan
    (y,) = rig.forward([x])
    assert np.isnan(y[0, 1]).all() and np.isnan(y).sum() == y[0, 1].size


def test_a_large_mean_does_not_cancel():
    """In float32, where the mean of squares less the square of the mean would leave nothing."""
    case = mvn((1, 1, 30, 30))
    x = distinct(case.shapes[0], np.random.default_rng(1)).astype(np.float32) + np.float32(1000)
    (y,) = Rig(case, make_device("cpu", np.float32)).forward([x])
    np.testing.assert_allclose(y, reference(x.astype(float), True, False), atol=2e-4)


@pytest.mark.parametrize("shape", [(), (3,), (2, 4), (2, 4, 3), (2, 4, 3, 2)])
def test_the_top_has_four_axes(cpu, shape):
    rig = Rig(mvn(shape), cpu)
    assert rig.top[0].shape == shape + (1,) * (4 - len(shape))


def test_refuses_five_axes(cpu):
    with pytest.raises(ShapeError, match=r"bottom 0 must have at most 4 axes \(n, c, h, w\)"):
        Rig(mvn((1, 2, 3, 4, 5)), cpu)


def test_in_place_needs_four_axes(cpu):
    with pytest.raises(ShapeError, match=r"in place bottom 0 must have 4 axes.*give the top another name"):
        Rig(mvn((2, 4)), cpu, in_place=True)


@pytest.mark.parametrize("eps", ["-0.5", "nan"])
def test_refuses_a_negative_eps(cpu, eps):
    with pytest.raises(ConfigError, match=r"mvn_param\.eps must be at least 0; got"):
        Rig(mvn((2, 4), more=f"eps: {eps}"), cpu)
