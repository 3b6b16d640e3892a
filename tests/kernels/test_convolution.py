"""Convolution over register tiles against the plain loops, and the plain loops against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.signal import correlate

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution as family
from minicaffe.kernels.tiled import convolution as tiled

from .test_micro import MACHINES


def geometry(n, groups, c, m, size, kernel, stride=(1, 1, 1), pad=(0, 0, 0), dilation=(1, 1, 1), bias=1):
    """The Conv of three axes, or None if no output is left."""
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    out = [int((s + 2 * p - r) / t) + 1 for s, p, r, t in zip(size, pad, reach, stride)]
    if min(out) < 1:
        return None
    return family.Conv(n, groups, c, m, bias, *size, *out, *kernel, *stride, *pad, *dilation)


def run(device, g, seed=0):
    """y, dx, dw and db of one geometry; what must be written starts as NaN, what must be added to as 1."""
    rng = np.random.default_rng(seed)
    kernels = device.bind(family)

    def array(count, values=None):
        out = device.empty((count,))
        device.put(rng.standard_normal(count) if values is None else np.full(count, values), out)
        return out

    x, w, b = (
        array(g.n * g.groups * g.c * g.d * g.h * g.w),
        array(g.groups * g.m * g.c * g.taps),
        array(g.groups * g.m),
    )
    y = array(g.n * g.groups * g.m * g.pixels, np.nan)
    kernels.conv_forward(x, w, b, y, g)
    dy, dx, dw = array(y.size), array(x.size, np.nan), array(w.size, 1.0)
    kernels.conv_backward_data(dy, w, dx, g)
    kernels.conv_backward_weights(x, dy, dw, g)
    return [device.get(a) for a in (y, dx, dw)]


def compare(device, g, tolerance):
    for name, got, wanted in zip(
        ("y", "dx", "dw"), run(device, g), run(CpuDevice(np.float64, kernels="plain"), g)
    ):
        scale = np.abs(wanted).max(initial=1.0)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * scale, err_msg=f"{name} of {g}")


three = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
few = st.integers(1, 3)


@given(
    few,
    few,
    few,
    st.integers(1, 4),
    st.tuples(*[st.integers(1, 7)] * 3),
    three,
    three,
    three,
    three,
    st.integers(0, 1),
)
def test_any_geometry(n, groups, c, m, size, kernel, stride, pad, dilation, bias):
    g = geometry(n, groups, c, m, size, kernel, stride, tuple(p - 1 for p in pad), dilation, bias)
    assume(g is not None)
    compare(CpuDevice(np.float64), g, 1e-12)


CASES = {
    "lenet conv2": geometry(3, 1, 20, 50, (1, 12, 12), (1, 5, 5)),
    "one channel": geometry(2, 1, 1, 20, (1, 28, 28), (1, 5, 5)),
    "1x1": geometry(2, 1, 37, 40, (1, 7, 7), (1, 1, 1)),
    "padded 3x3": geometry(2, 1, 6, 33, (1, 14, 14), (1, 3, 3), pad=(0, 1, 1)),
    "stride 2": geometry(2, 1, 3, 17, (1, 15, 15), (1, 7, 7), stride=(1, 2, 2), pad=(0, 3, 3)),
    "depthwise": geometry(2, 9, 1, 1, (1, 10, 10), (1, 3, 3), pad=(0, 1, 1), bias=0),
    "3-D": geometry(1, 2, 2, 4, (5, 6, 7), (3, 2, 3), stride=(2, 1, 1), pad=(1, 0, 1)),
    "window larger than the input": geometry(1, 1, 3, 4, (1, 2, 2), (1, 3, 3), stride=(1, 2, 2)),
}

EMPTY = {
    "no images": geometry(0, 1, 3, 4, (1, 5, 5), (1, 3, 3)),
    "no channels": geometry(2, 2, 0, 4, (1, 5, 5), (1, 3, 3)),
    "no outputs": geometry(2, 1, 3, 0, (1, 5, 5), (1, 3, 3)),
    "padding alone": geometry(2, 1, 3, 4, (1, 0, 5), (1, 3, 3), pad=(0, 2, 1)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_arrays_without_elements(name):
    compare(CpuDevice(np.float64), EMPTY[name], 0)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
@pytest.mark.parametrize("name", CASES)
def test_every_vector_width(machine, name):
    compare(CpuDevice(np.float32, machine=machine), CASES[name], 1e-5)


def test_panels_of_the_weight_gradient_are_cut_when_large(monkeypatch):
    """With room for one vector pair of pixels at a time, an image takes many panels."""
    monkeypatch.setattr(tiled, "PANEL_BYTES", 1)
    compare(CpuDevice(np.float64), CASES["lenet conv2"], 1e-12)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_any_number_of_parts(monkeypatch, parts):
    monkeypatch.setattr(tiled, "threads", lambda: parts)
    compare(CpuDevice(np.float64), CASES["padded 3x3"], 1e-12)


def test_plain_loops_against_scipy():
    """Stride 1, no padding: 'valid' correlation, summed over channels."""
    g = geometry(2, 1, 3, 4, (3, 6, 5), (2, 3, 2))
    rng = np.random.default_rng(0)
    x = rng.standard_normal(g.n * g.c * g.d * g.h * g.w).reshape(2, 3, 3, 6, 5)
    w = rng.standard_normal(g.m * g.c * g.taps).reshape(4, 3, 2, 3, 2)
    b = rng.standard_normal(g.m)
    y = run(CpuDevice(np.float64, kernels="plain"), g)[0].reshape(2, 4, g.od, g.oh, g.ow)
    for n in range(2):
        for m in range(4):
            wanted = sum(correlate(x[n, c], w[m, c], "valid") for c in range(3)) + b[m]
            np.testing.assert_allclose(y[n, m], wanted, rtol=1e-10)
