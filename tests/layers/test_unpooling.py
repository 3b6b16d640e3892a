"""Unpooling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct
from .test_upsample import places, put


def case(fields: str, *shape: int, mask: int = 0) -> Case:
    """mask: how many places there are."""
    layer = f'type: "Unpooling" unpooling_param {{ {fields} }}'
    return Case(layer, (shape,) * (2 if mask else 1), (distinct, places(mask)))


CASES = [
    case("kernel_size: 2 stride: 2 unpool_size: 6", 1, 2, 3, 3, mask=36),
    case("kernel_size: 2 stride: 2", 2, 1, 2, 3),
    case("unpool: AVE kernel_h: 3 kernel_w: 2 stride: 2", 1, 2, 2, 3),
    case("unpool: TILE kernel_size: 2", 2, 2, 3, 2),
]


def spread(x, oh, ow, kernel, stride, mean):
    y = np.zeros((*x.shape[:2], oh, ow))
    for i, j in np.ndindex(x.shape[2:]):
        window = y[:, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        window += x[:, :, i : i + 1, j : j + 1] / (window[0, 0].size if mean else 1)
    return y


@each_device
@given(
    st.sampled_from(["MAX", "AVE", "TILE"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.data(),
)
def test_without_a_mask(device, unpool, kernel, stride, h, data):
    reach = (h - 1) * stride + 1
    size = data.draw(st.none() | st.integers(reach, reach + 4))
    rows = size or max((h - 1) * stride + kernel, h * stride + 1)
    columns = size or max(stride + kernel, 2 * stride + 1)
    if columns < stride + 1:
        return
    text = f"unpool: {unpool} kernel_size: {kernel} stride: {stride}"
    one = case(text + (f" unpool_size: {size}" if size else ""), 2, 2, h, 2)

    def formula(x):
        if unpool != "MAX":
            return spread(x, rows, columns, kernel, stride, unpool == "AVE")
        y = np.zeros((2, 2, rows, columns))
        y[:, :, : h * stride : stride, : 2 * stride : stride] = x
        return y

    check_forward(one, device, formula)
    check_gradient(one, device, directions=1)


@each_device
def test_with_a_mask(device):
    check_forward(CASES[0], device, lambda x, mask: put(x, mask, 6, 6), rtol=0)


@pytest.mark.parametrize(
    ("fields", "mask", "error", "message"),
    [
        ("", 0, ConfigError, "kernel_size is missing"),
        ("kernel_size: 2 pad: 1", 0, ConfigError, r"pad must be 0; got \(1, 1\)"),
        ("kernel_size: 2 unpool_h: 3", 0, ConfigError, "unpool_w is missing"),
        ("kernel_size: 2 unpool: AVE", 9, ConfigError, "a second bottom, the mask, is for unpool: MAX"),
        (
            "kernel_size: 2 stride: 2 unpool_size: 4",
            0,
            ShapeError,
            r"planes of \(3, 3\) do not fit into \(4, 4\)",
        ),
    ],
)
def test_refuses(cpu, fields, mask, error, message):
    with pytest.raises(error, match=message):
        Rig(case(fields, 1, 1, 3, 3, mask=mask), cpu)
