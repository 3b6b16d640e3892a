"""Maxima on register vectors against the plain loops, and what they touch around their arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ShapeError
from minicaffe.kernels import pooling as family
from minicaffe.layers.vision.window import Window, pooled

from .test_micro import MACHINES, each_dtype, each_machine

FENCE = 96  # elements around every array that must not change
gaps = st.integers(0, 30)  # elements between images


def geometry(planes, size, kernel, stride, pad, ceil=True):
    """The Pool of two axes, or None if a window has nothing to pool."""
    try:
        out = pooled(size, Window(kernel, stride, pad, (1, 1)), ceil)
    except ShapeError:
        return None
    return family.Pool(planes, *size, *out, *kernel, *stride, *pad)


def places(g, step, size):
    """Where the elements of all planes lie in an array whose images are `step` elements apart."""
    plane = np.arange(g.planes)
    return ((plane // g.channels * step + plane % g.channels * size)[:, None] + np.arange(size)).reshape(-1)


def run(device, x, g):
    """y and mask of planes x in the device's type; every element around and between the images of the three
    arrays stays as it was."""
    outputs = g.oh * g.ow
    of_x, of_y = places(g, g.x_step, g.h * g.w), places(g, g.y_step, outputs)
    blocks = []
    for values, at, dtype in (
        (x, of_x, device.dtype),
        (5, of_y, device.dtype),
        (5, np.arange(g.planes * outputs), np.int32),
    ):
        block = device.empty((at.max(initial=-1) + 1 + 2 * FENCE,), dtype)
        block[:] = 77  # greater than what is in x: read by mistake, it would win
        block[FENCE + at] = values
        blocks.append((block, FENCE + at, block.copy()))
    device.bind(family).max_pool_forward(*[block[FENCE:-FENCE] for block, _, _ in blocks], g)
    for block, at, old in blocks:
        np.testing.assert_array_equal(np.delete(block, at), np.delete(old, at))
    return [block[at] for block, at, _ in blocks[1:]]


def compare(x, g, dtype=np.float64, machine=None):
    x = x.astype(dtype)
    got, wanted = run(CpuDevice(dtype, machine=machine), x, g), run(CpuDevice(dtype, kernels="plain"), x, g)
    for one, other, name in zip(got, wanted, ("y", "mask")):
        np.testing.assert_array_equal(one, other, err_msg=f"{name} of {g}")


def values(g, seed=0):
    """Few different numbers, so that there are ties, with NaN and infinities among them."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 4, g.planes * g.h * g.w).astype(np.float64)
    for special in (np.nan, np.nan, -np.inf, np.inf):
        x[rng.integers(0, x.size, math.ceil(x.size / 8))] = special
    return x


@given(data=st.data(), planes=st.integers(1, 6), ceil=st.booleans(), seed=st.integers(0, 99))
def test_any_geometry(data, planes, ceil, seed):
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    stride = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    pad = tuple(data.draw(st.integers(0, k - 1)) for k in kernel)
    size = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 40)))
    g = geometry(planes, size, kernel, stride, pad, ceil)
    assume(g is not None)
    compare(values(g, seed), g)
    for channels in [c for c in range(1, planes) if planes % c == 0]:
        x_step, y_step = channels * g.h * g.w + data.draw(gaps), channels * g.oh * g.ow + data.draw(gaps)
        compare(values(g, seed), g._replace(channels=channels, x_step=x_step, y_step=y_step))


@each_machine
@each_dtype
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad"),
    [
        ((24, 24), 2, 2, 0),  # LeNet
        ((8, 8), 2, 2, 0),
        ((13, 13), 3, 2, 0),  # windows that stick out on the right and below
        ((7, 14), 3, 1, 1),  # inception
        ((6, 33), 3, 1, 1),
        ((5, 19), 4, 2, 3),
    ],
)
def test_every_vector_width(machine, dtype, size, kernel, stride, pad):
    g = geometry(3, size, (kernel,) * 2, (stride,) * 2, (pad,) * 2)
    compare(values(g), g, dtype, machine)


def test_no_planes():
    g = geometry(1, (4, 4), (2, 2), (2, 2), (0, 0))._replace(planes=0)
    compare(np.zeros(0), g, machine=MACHINES[max(MACHINES)])


@pytest.mark.parametrize("names", ["composite", "plain"])
def test_backward_leaves_out_windows_of_nan(names):
    device = CpuDevice(np.float64, kernels=names)
    g = geometry(1, (2, 4), (2, 2), (2, 2), (0, 0))
    dx = np.full(8, np.nan)
    device.bind(family).max_pool_backward(np.array([3.0, 4.0]), np.array([-1, 6], np.int32), dx, g, 0)
    np.testing.assert_array_equal(dx, [0, 0, 0, 0, 0, 0, 4, 0])
