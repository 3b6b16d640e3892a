"""Padding that differs from side to side, of Convolution, Deconvolution and Pooling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient
from .test_pooling import windows

SIDES = "pad_t", "pad_b", "pad_l", "pad_r"
side = st.integers(0, 2)
sides = st.tuples(side, side, side, side)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


def fields(pads, kernel, stride, dilation=(1, 1)) -> str:
    said = [f"{name}: {n}" for name, n in zip(SIDES, pads) if n]
    said += [f"kernel_{axis}: {k} stride_{axis}: {s}" for axis, k, s in zip("hw", kernel, stride)]
    return " ".join(said + [f"dilation: {n}" for n in dilation if dilation != (1, 1)])


def convolution(text: str, shape, kind="Convolution") -> Case:
    return Case(f'type: "{kind}" convolution_param {{ num_output: 4 {text} }}', (shape,))


def pooling(text: str, shape, tops=1) -> Case:
    return Case(f'type: "Pooling" pooling_param {{ {text} }}', (shape,), tops=tops)


def zeros_around(x, pads):
    top, bottom, left, right = pads
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))


def convolved(x, weights, bias, stride, dilation):
    """From the definition, of an image that has its padding."""
    reach = [l * (k - 1) + 1 for k, l in zip(weights.shape[2:], dilation)]
    out = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride)]
    y = np.empty((len(x), len(weights), *out))
    for i, j in np.ndindex(*out):
        top, left = i * stride[0], j * stride[1]
        seen = x[:, :, top : top + reach[0] : dilation[0], left : left + reach[1] : dilation[1]]
        y[:, :, i, j] = np.tensordot(seen, weights, ((1, 2, 3), (1, 2, 3))) + bias
    return y


def pooled(x, method, out, kernel, stride, pads):
    """Maxima and where they stand, or means, from the definition."""
    h, w = x.shape[2:]
    top, bottom, left, right = pads
    y = np.zeros((*x.shape[:2], *out))
    mask = np.zeros_like(y)
    for at, rows, columns in windows(x.shape, out, kernel, stride, (top, left)):
        inside = [r * w + c for r in rows for c in columns if 0 <= r < h and 0 <= c < w]
        values = x[at[:2]].reshape(-1)[inside]
        if method == "MAX":
            y[at], mask[at] = values.max(), inside[values.argmax()]
        elif method != "AVE":
            y[at] = values.mean()
        else:
            y[at] = values.sum() / sum(r < h + bottom and c < w + right for r in rows for c in columns)
    return (y, mask) if method == "MAX" else y


def same(size, kernel, stride, dilation=(1, 1)) -> list[tuple[int, int]]:
    """TensorFlow's pads: what the last of ceil(size / stride) windows lacks, the odd one behind."""
    short = [
        max((int(np.ceil(n / s)) - 1) * s + l * (k - 1) + 1 - n, 0)
        for n, k, s, l in zip(size, kernel, stride, dilation)
    ]
    return [(n // 2, n - n // 2) for n in short]


@each_device
@given(sides, pairs, pairs, st.tuples(*[st.integers(1, 2)] * 2), st.tuples(*[st.integers(1, 8)] * 2))
def test_convolution(device, pads, kernel, stride, dilation, size):
    shape = (2, 3, *size)
    padded = zeros_around(np.empty(shape), pads).shape[2:]
    assume(all(n > l * (k - 1) for n, k, l in zip(padded, kernel, dilation)))
    case = convolution(fields(pads, kernel, stride, dilation), shape)
    check_forward(case, device, lambda x, w, b: convolved(zeros_around(x, pads), w, b, stride, dilation))
    check_gradient(case, device)


@each_device
@given(sides, pairs, pairs, st.tuples(*[st.integers(2, 5)] * 2))
def test_deconvolution(device, pads, kernel, stride, size):
    """What lies in the padding is cut off."""
    text = fields((0, 0, 0, 0), kernel, stride)
    whole = Rig(convolution(text, (2, 3, *size), "Deconvolution"), device)
    h, w = whole.top[0].shape[2:]
    top, bottom, left, right = pads
    assume(h > top + bottom and w > left + right)
    case = convolution(fields(pads, kernel, stride), (2, 3, *size), "Deconvolution")
    (y,) = Rig(case, device).forward(case.arrays())
    (all_of_it,) = whole.forward(case.arrays())
    np.testing.assert_allclose(y, all_of_it[:, :, top : h - bottom, left : w - right], atol=1e-12)
    check_gradient(case, device)


@each_device
@given(
    st.tuples(*[st.integers(0, 3)] * 4), st.tuples(*[st.integers(1, 4)] * 2), pairs, st.booleans(),
    st.sampled_from(["MAX", "AVE", "AVE_TF"]), st.tuples(*[st.integers(1, 8)] * 2),
)  # fmt: skip
def test_pooling(device, pads, kernel, stride, ceil, method, size):
    pads = [min(p, kernel[i // 2] - 1) for i, p in enumerate(pads)]
    room = [n + pads[2 * i] + pads[2 * i + 1] - k for i, (n, k) in enumerate(zip(size, kernel))]
    assume(min(room) >= 0)
    out = [(-(-r // s) if ceil else r // s) + 1 for r, s in zip(room, stride)]
    if any(pads):  # a last window that would start behind the image and its first padding is left out
        out = [o - ((o - 1) * s >= n + p) for o, s, n, p in zip(out, stride, size, pads[::2])]
    assume(all((o - 1) * s - p < n for o, s, n, p in zip(out, stride, size, pads[::2])))
    text = f"pool: {method} round_mode: {'CEIL' if ceil else 'FLOOR'} {fields(pads, kernel, stride)}"
    case = pooling(text, (1, 2, *size), 2 if method == "MAX" else 1)
    check_forward(case, device, lambda x: pooled(x, method, out, kernel, stride, pads))
    check_gradient(case, device)


@each_device
@given(pairs, pairs, st.tuples(*[st.integers(1, 9)] * 2), st.sampled_from(["MAX", "AVE", "AVE_TF", ""]))
def test_same(device, kernel, stride, size, method):
    """Of a pooling, and of a convolution; rounded up is nothing."""
    out = tuple(-(-n // s) for n, s in zip(size, stride))
    pads = sum(same(size, kernel, stride), ())
    text = f"pad_type: 1 {fields((0, 0, 0, 0), kernel, stride)}"
    if method:
        case = pooling(f"{text} pool: {method}", (1, 2, *size), 2 if method == "MAX" else 1)
        check_forward(case, device, lambda x: pooled(x, method, out, kernel, stride, pads))
    else:
        case = convolution(text, (1, 2, *size))
        check_forward(case, device, lambda x, w, b: convolved(zeros_around(x, pads), w, b, stride, (1, 1)))
        assert Rig(case, device).top[0].shape[2:] == out
    check_gradient(case, device)


def test_same_follows_the_size(cpu):
    rig = Rig(convolution("pad_type: 1 kernel_size: 3 stride: 2 dilation: 2", (1, 1, 8, 9)), cpu)
    for size in ((8, 9), (7, 12)):
        rig.bottom[0].reshape(1, 1, *size)
        rig.layer.reshape(rig.bottom, rig.top)
        assert rig.top[0].shape[2:] == tuple(-(-n // 2) for n in size)
        pads = same(size, (3, 3), (2, 2), (2, 2))
        assert list(zip(rig.layer.window.pad, rig.layer.window.ends)) == pads


@pytest.mark.parametrize(
    ("text", "pad", "behind"),
    [
        ("pad: 7 pad_r: 1", (0, 0), (0, 1)),
        ("pad_type: 1 pad_r: 1", (0, 0), (0, 1)),
        ("pad_type: 1 pad: 7 stride: 2", (0, 1), (1, 1)),
        ("pad_type: 1 pad: 7", (1, 1), ()),
        ("pad_type: 1 pad_t: 2 pad_b: 2", (2, 0), ()),
    ],
)
def test_what_comes_first(cpu, text, pad, behind):
    window = Rig(convolution(f"kernel_size: 3 {text}", (1, 1, 4, 5)), cpu).layer.window
    assert (window.pad, window.behind) == (pad, behind)


def test_such_a_convolution_does_not_run_beside_others(cpu):
    assert Rig(convolution("kernel_size: 1", (1, 1, 5, 5)), cpu).layer.family
    assert Rig(convolution("kernel_size: 1 pad_b: 1", (1, 1, 5, 5)), cpu).layer.family is None


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (convolution("kernel_size: 3 pad_t: 1", (1, 2, 5)), "are for two spatial axes; there are 1"),
        (convolution("kernel_size: 3 pad_t: -1", (1, 2, 5, 5)), r"must be at least 0; got \[-1, 0, 0, 0\]"),
        (convolution("kernel_size: 3 pad_type: 2", (1, 2, 5, 5)), "pad_type must be 0, or 1 for.*; got 2"),
        (convolution("kernel_size: 3 pad_type: 1", (1, 2, 5, 5), "Deconvolution"), "is for convolutions"),
        (pooling("kernel_size: 2 pad_b: 2", (1, 2, 5, 5)), r"pad must be less than the kernel.*\(2, 0\)"),
        (pooling("kernel_size: 2 pad_type: 1", (1, 2, 5, 5, 5)), "images of at most two axes"),
        (pooling("global_pooling: true pad_b: 1", (1, 2, 5, 5)), "takes no padding; got pad_b"),
        (pooling("global_pooling: true pad_type: 1", (1, 2, 5, 5)), "takes no padding; got pad_type"),
    ],
)
def test_refuses(cpu, case, message):
    with pytest.raises(ConfigError, match=message):
        Rig(case, cpu)
