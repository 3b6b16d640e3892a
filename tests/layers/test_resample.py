"""Resample."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(text: str, *shapes: tuple[int, ...]) -> Case:
    return Case(f'type: "Resample" resample_param {{ {text} }}', shapes)


CASES = [
    case("height: 5 width: 7", (2, 3, 4, 3)),
    case("height: 2 width: 3 type: CUBIC", (1, 2, 5, 6)),
    case("height: 2 width: 9 type: NEAREST", (1, 2, 4, 3)),
    case("antialias: false", (1, 2, 5, 6), (2, 1, 3, 4)),
]


def coefficient(kind: str, d: float) -> float:
    d = abs(d)
    if kind == "LINEAR":
        return max(1 - d, 0)
    if d <= 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0


def around(i: int, f, other, extent: int, kind: str, scale) -> dict[int, float]:
    """The pixels of one axis that count in output i, and how much."""
    at = float(np.float32(i) * f + other / np.float32(2) - np.float32(0.5))
    nearest = math.floor(abs(at) + 0.5) * (-1 if at < 0 else 1)
    if kind == "NEAREST":
        return {min(max(nearest, 0), extent - 1): 1}
    width = 2 if kind == "LINEAR" else 4
    reach = 2 if f < 1 else math.ceil(np.float32(width) / scale)
    found = range(max(nearest - reach, 0), min(nearest + reach, extent - 1) + 1)
    return {p: coefficient(kind, float(scale) * (at - p)) for p in found}


def resampled(x, oh, ow, kind, antialias=True):
    """Pixel by pixel, the weights of both axes multiplied and divided by their sum."""
    h, w = x.shape[2:]
    fy, fx = np.float32(h) / np.float32(oh), np.float32(w) / np.float32(ow)
    wide = antialias and (fx > 1 or fy > 1)
    ay, ax = (np.float32(1) / (f if wide else np.float32(1)) for f in (fy, fx))
    y = np.zeros((*x.shape[:2], oh, ow))
    for i, j in np.ndindex(oh, ow):
        rows, columns = around(i, fy, fx, h, kind, ay), around(j, fx, fy, w, kind, ax)
        total = sum(p * q for p in rows.values() for q in columns.values())
        for r, p in rows.items():
            for c, q in columns.items():
                y[:, :, i, j] += p * q * x[:, :, r, c] / (total or 1)
    return y


@each_device
@given(
    *[st.integers(1, 6)] * 2, *[st.integers(1, 8)] * 2, st.sampled_from(["LINEAR", "CUBIC", "NEAREST"]),
    st.booleans(),
)  # fmt: skip
def test_formula_and_gradient(device, h, w, oh, ow, kind, antialias):
    text = f"height: {oh} width: {ow} type: {kind} antialias: {str(antialias).lower()}"
    one = case(text, (1, 2, h, w))
    check_forward(one, device, lambda x: resampled(x, oh, ow, kind, antialias))
    check_gradient(one, device)


@each_device
def test_the_size_of_another_blob(device):
    one = case("type: CUBIC", (2, 1, 4, 6), (1, 3, 7, 5))
    check_forward(one, device, lambda x, like: resampled(x, 7, 5, "CUBIC"))
    rig = Rig(one, device)
    rig.bottom[1].reshape(1, 3, 2, 3)
    rig.net.reshape()
    assert rig.top[0].shape == (2, 1, 2, 3)


@each_device
def test_a_pixel_that_is_no_number_stays_where_it_is(device):
    x = np.ones((1, 1, 1, 8))
    x[..., 3] = np.nan
    (y,) = Rig(case("height: 1 width: 8", x.shape), device).forward([x])
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width: 3", "resample_param does not say how large the top is; hint: set width and height, or give"),
        ("width: 3 height: 3 type: AREA", "type must be one of LINEAR, CUBIC, NEAREST; got AREA"),
        ("width: 3 height: 3 factor: 2", "resample_param.factor is not supported in this layer"),
    ],
)
def test_refuses_fields(cpu, text, message):
    with pytest.raises(ConfigError, match=message):
        Rig(case(text, (1, 1, 4, 4)), cpu)


@pytest.mark.parametrize("shapes", [((2, 3, 4),), ((1, 1, 0, 4), (3, 3)), ((1, 1, 4, 4), (3,))])
def test_refuses_shapes(cpu, shapes):
    with pytest.raises(ShapeError, match="bottom 0 must have 4 axes"):
        Rig(case("width: 3 height: 3", *shapes), cpu)
