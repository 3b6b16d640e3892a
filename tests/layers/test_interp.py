"""Interp."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(text: str, *shape: int) -> Case:
    return Case(f'type: "Interp" interp_param {{ {text} }}', (shape,))


def weights(extent: int, out: int) -> np.ndarray:
    """The share of every input in every output, (out, extent)."""
    step = np.float32(extent - 1) / np.float32(out - 1) if out > 1 else np.float32(0)
    shares = np.zeros((out, extent))
    for i in range(out):
        at = np.float32(i) * step
        first = min(int(at), extent - 1)
        shares[i, first] += 1 - np.float64(at - np.float32(first))
        shares[i, min(first + 1, extent - 1)] += at - np.float32(first)
    return shares


def interpolate(x, oh, ow, beg=0, end=0):
    x = x[:, :, beg : x.shape[2] - end, beg : x.shape[3] - end]
    return weights(x.shape[2], oh) @ x @ weights(x.shape[3], ow).T


CASES = [
    case("height: 5 width: 7", 2, 3, 4, 3),
    case("zoom_factor: 3 pad_beg: -1", 1, 2, 3, 4),
    case("shrink_factor: 2", 2, 1, 5, 4),
    case("height: 1 width: 4", 1, 2, 3, 4),
]


@each_device
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 1),
    st.integers(0, 1),
)  # fmt: skip
def test_formula_and_gradient(device, h, w, oh, ow, beg, end):
    text = f"height: {oh} width: {ow} pad_beg: {-beg} pad_end: {-end}"
    one = case(text, 2, 2, h + beg + end, w + beg + end)
    check_forward(one, device, lambda x: interpolate(x, oh, ow, beg, end))
    check_gradient(one, device)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("shrink_factor: 2", (3, 4)),
        ("shrink_factor: 2 height: 9 width: 9", (3, 4)),
        ("zoom_factor: 2", (11, 13)),
        ("zoom_factor: 1 height: 9 width: 9", (6, 7)),
        ("shrink_factor: 2 zoom_factor: 3", (7, 10)),
        ("shrink_factor: 2 zoom_factor: 3 height: 9 width: 8", (9, 8)),
        ("zoom_factor: 2 pad_beg: -1 pad_end: -2", (5, 7)),
    ],
)
def test_sizes(cpu, text, size):
    assert Rig(case(text, 1, 1, 6, 7), cpu).top[0].shape == (1, 1, *size)


@each_device
def test_of_equal_size_it_copies(device):
    check_forward(case("height: 4 width: 5", 2, 2, 4, 5), device, lambda x: x, rtol=0)


def test_refuses(cpu):
    for text, message in [
        ("", "does not say how large the top is"),
        ("height: 3", "does not say how large"),
        ("pad_beg: 1 zoom_factor: 2", "pad_beg and pad_end must be at most 0; got 1 and 0"),
        ("zoom_factor: 0", "zoom_factor must be at least 1; got 0"),
        ("full_zoom_factor: 2", "full_zoom_factor is not supported"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(case(text, 1, 1, 3, 3), cpu)
    with pytest.raises(ShapeError, match="nothing is left: -1 x 0 of bottom 0"):
        Rig(case("zoom_factor: 2 pad_beg: -2 pad_end: -2", 1, 1, 3, 4), cpu)
    with pytest.raises(ShapeError, match="must have 4 axes"):
        Rig(case("zoom_factor: 2", 3, 4), cpu)
