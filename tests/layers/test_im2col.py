"""Im2col."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient

IM2COL = 'type: "Im2col" convolution_param {{ {} }}'

CASES = [
    Case(IM2COL.format("kernel_size: 3"), ((2, 3, 6, 5),)),
    Case(IM2COL.format("kernel_h: 2 kernel_w: 3 stride: 2 pad_h: 1 pad_w: 2 dilation: 2"), ((2, 2, 7, 6),)),
    Case(IM2COL.format("kernel_size: 2 stride: 3 pad: 1"), ((2, 2, 3, 4, 5),)),
    Case(IM2COL.format("kernel_size: 3 pad: 1"), ((3, 2, 9),)),
    Case(IM2COL.format("kernel_size: 2 axis: -3"), ((2, 1, 2, 4, 3),)),
]


def reference(x, axis, kernel, stride, pad, dilation):
    """Tap by tap from an image in a sea of zeros."""
    size = x.shape[axis + 1 :]
    out = [
        int((n + 2 * p - d * (k - 1) - 1) / s) + 1
        for n, k, s, p, d in zip(size, kernel, stride, pad, dilation)
    ]
    sea = np.pad(
        x, [(0, 0)] * (axis + 1) + [(p, p + s + k * d) for k, s, p, d in zip(kernel, stride, pad, dilation)]
    )
    taps = []
    for tap in itertools.product(*map(range, kernel)):
        cut = [slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, dilation, out, stride)]
        taps.append(sea[(..., *cut)])
    columns = np.stack(taps, axis + 1)
    return columns.reshape(*x.shape[:axis], -1, *out)


@st.composite
def windows(draw):
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    kernel, stride, pad, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    least = [d * (k - 1) + 1 - 2 * p - (s - 1) for k, s, p, d in zip(kernel, stride, pad, dilation)]
    size = tuple(draw(st.integers(max(1, low), max(1, low) + 4)) for low in least)
    return size, kernel, stride, pad, dilation


@each_device
@given(window=windows(), lead=st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_against_the_definition(device, window, lead):
    size, *rest = window
    fields = [
        f"{name}: {v}"
        for name, values in zip(("kernel_size", "stride", "pad", "dilation"), rest)
        for v in values
    ]
    axis = len(lead) - 1
    case = Case(IM2COL.format(" ".join([f"axis: {axis}", *fields])), ((*lead, *size),))
    check_forward(case, device, lambda x: reference(x, axis, *rest))
    check_gradient(case, device)


@each_device
def test_channels_are_slower_than_taps(device):
    rig = Rig(Case(IM2COL.format("kernel_size: 2"), ((1, 2, 2, 3),)), device)
    (y,) = rig.forward([np.arange(12.0).reshape(1, 2, 2, 3)])
    wanted = [[0, 1], [1, 2], [3, 4], [4, 5], [6, 7], [7, 8], [9, 10], [10, 11]]
    np.testing.assert_array_equal(y, np.array(wanted, float).reshape(1, 8, 1, 2))


@each_device
def test_nan_stays_where_it_is(device):
    rig = Rig(Case(IM2COL.format("kernel_size: 1 pad: 1"), ((1, 1, 1, 1),)), device)
    (y,) = rig.forward([np.full((1, 1, 1, 1), np.nan)])
    assert np.isnan(y[0, 0, 1, 1]) and np.nansum(np.abs(y)) == 0 and np.isnan(y).sum() == 1


@each_device
def test_an_image_smaller_than_the_window(device):
    """Division is truncated, as in Convolution: up to stride - 1 may be missing."""
    case = Case(IM2COL.format("kernel_size: 3 stride: 2"), ((1, 1, 2, 2),))
    check_forward(case, device, lambda x: np.pad(x, [(0, 0)] * 2 + [(0, 1)] * 2).reshape(1, 9, 1, 1))


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("kernel_size: 1", (2, 3), r"1 to 3 spatial axes must follow axis 1; bottom 0 has \(2, 3\)"),
        ("kernel_size: 1", (1, 1, 2, 2, 2, 2), "1 to 3 spatial axes must follow axis 1"),
        ("kernel_size: 5", (1, 1, 3, 3), "a kernel that reaches over 5 does not fit"),
        ("kernel_size: 1 axis: 7", (1, 1, 3, 3), "axis 7 does not exist"),
    ],
)
def test_refuses_shapes(cpu, fields, shape, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(IM2COL.format(fields), (shape,)), cpu)


def test_the_number_of_axes_cannot_change(cpu):
    rig = Rig(CASES[0], cpu)
    rig.bottom[0].reshape(2, 3, 6, 5, 4)
    with pytest.raises(ShapeError, match="does not fit a window of 2 axes"):
        rig.net.reshape()


@pytest.mark.parametrize(
    ("fields", "message"),
    [("", "kernel_size must have 1 or 2 values"), ("kernel_size: 3 stride: 0", "stride must be at least 1")],
)
def test_refuses_fields(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(Case(IM2COL.format(fields), ((1, 1, 4, 4),)), cpu)
