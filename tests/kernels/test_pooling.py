"""Maxima and averages on register vectors against the plain loops, and what they touch around arrays."""

from __future__ import annotations

import functools
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

PLAIN = {"kernels": "plain"}
FENCE = 96  # elements around every array that must not change
gaps = st.integers(0, 30)  # elements between images


def geometry(planes, size, kernel, stride, pad, ceil=True, behind=()):
    """The Pool of two axes, or None if a window has nothing to pool."""
    window = Window(kernel, stride, pad, (1, 1), behind)
    try:
        out = pooled(size, window, ceil)
    except ShapeError:
        return None
    return family.Pool(planes, *size, *out, *kernel, *stride, *pad, *window.ends)


def places(g, step, size):
    """Where the elements of all planes lie in an array whose images are `step` elements apart."""
    plane = np.arange(g.planes)
    return ((plane // g.channels * step + plane % g.channels * size)[:, None] + np.arange(size)).reshape(-1)


def fenced(device, kernel, fence, *arrays):
    """Run `kernel` of arrays, each given as values, their places and a type; every element around and between
    them is `fence`, and must stay so.  The values that they hold then."""
    blocks = []
    for values, at, dtype in arrays:
        block = device.empty((at.max(initial=-1) + 1 + 2 * FENCE,), dtype)
        block[:] = fence
        block[FENCE + at] = values
        blocks.append((block, FENCE + at, block.copy()))
    kernel(*[block[FENCE:-FENCE] for block, _, _ in blocks])
    for block, at, old in blocks:
        np.testing.assert_array_equal(np.delete(block, at), np.delete(old, at))
    return [block[at] for block, at, _ in blocks]


def run(device, x, g):
    """y and mask of planes x in the device's type."""
    kernel = device.bind(family).max_pool_forward
    of_x, of_y = places(g, g.x_step, g.h * g.w), places(g, g.y_step, g.oh * g.ow)
    of_mask = np.arange(g.planes * g.oh * g.ow)
    # 77 is greater than what is in x: read by mistake, it would win.
    arrays = (x, of_x, device.dtype), (5, of_y, device.dtype), (5, of_mask, np.int32)
    return fenced(device, lambda x, y, mask: kernel(x, y, mask, g), 77, *arrays)[1:]


def back(device, mask, g, add):
    """dx for that mask, of some dy; added to what is there or not."""
    kernel = device.bind(family).max_pool_backward
    of_x, of_y = places(g, g.x_step, g.h * g.w), places(g, g.y_step, g.oh * g.ow)
    dy = np.random.default_rng(1).standard_normal(of_y.size)
    dy[::7] = np.inf  # which is no reason for NaN elsewhere
    arrays = (5, of_x, device.dtype), (dy, of_y, device.dtype), (mask, np.arange(of_y.size), np.int32)
    return fenced(device, lambda dx, dy, mask: kernel(dy, mask, dx, g, add), 77, *arrays)[0]


def compare(x, g, dtype=np.float64, machine=None):
    x = x.astype(dtype)
    got, wanted = run(CpuDevice(dtype, machine=machine), x, g), run(CpuDevice(dtype, kernels="plain"), x, g)
    for one, other, name in zip(got, wanted, ("y", "mask")):
        np.testing.assert_array_equal(one, other, err_msg=f"{name} of {g}")
    for add in 0, 1:
        one, other = (
            back(CpuDevice(dtype, **form), got[1], g, add) for form in ({"machine": machine}, PLAIN)
        )
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * add, err_msg=f"dx of {g}")


def compare_averages(g, dtype=np.float64, machine=None):
    """Forward, backward, and backward added to what is there."""
    results, rng = [], np.random.default_rng(0)
    of_x, of_y = places(g, g.x_step, g.h * g.w), places(g, g.y_step, g.oh * g.ow)
    x, dy = rng.standard_normal(of_x.size), rng.standard_normal(of_y.size)
    for device in CpuDevice(dtype, machine=machine), CpuDevice(dtype, kernels="plain"):
        k = device.bind(family)
        arrays = (x, of_x, dtype), (dy, of_y, dtype)
        found = [fenced(device, lambda x, y, k=k: k.ave_pool_forward(x, y, g), np.nan, *arrays)[1]]
        for add in 0, 1:
            back = functools.partial(lambda x, dy, k, add: k.ave_pool_backward(dy, x, g, add), k=k, add=add)
            found.append(fenced(device, back, np.nan, *arrays)[0])
        results.append(found)
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 if dtype == np.float32 else 1e-13)


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
    behind = tuple(data.draw(st.integers(0, k - 1)) for k in kernel) if data.draw(st.booleans()) else ()
    size = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 40)))
    g = geometry(planes, size, kernel, stride, pad, ceil, behind)
    assume(g is not None)
    compare(values(g, seed), g)
    compare_averages(g)
    compare_averages(g._replace(eh=0, ew=0, bare=1))
    for channels in [c for c in range(1, planes) if planes % c == 0]:
        x_step, y_step = channels * g.h * g.w + data.draw(gaps), channels * g.oh * g.ow + data.draw(gaps)
        apart = g._replace(channels=channels, x_step=x_step, y_step=y_step)
        compare(values(g, seed), apart)
        compare_averages(apart)


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
        ((7, 7), 7, 1, 0),  # the whole image
        ((6, 6), 8, 1, 1),
        ((14, 14), 5, 3, 0),  # where GoogLeNet's first losses begin
    ],
)
def test_every_vector_width(machine, dtype, size, kernel, stride, pad):
    g = geometry(3, size, (kernel,) * 2, (stride,) * 2, (pad,) * 2)
    compare(values(g), g, dtype, machine)
    compare_averages(g, dtype, machine)
    compare_averages(g._replace(eh=0, ew=0, bare=1), dtype, machine)


def test_no_planes():
    g = geometry(1, (4, 4), (2, 2), (2, 2), (0, 0))._replace(planes=0)
    compare(np.zeros(0), g, machine=MACHINES[max(MACHINES)])
    compare_averages(g)


@pytest.mark.parametrize("names", ["composite", "plain"])
def test_backward_leaves_out_windows_of_nan(names):
    device = CpuDevice(np.float64, kernels=names)
    g = geometry(1, (2, 4), (2, 2), (2, 2), (0, 0))
    dx = np.full(8, np.nan)
    device.bind(family).max_pool_backward(np.array([3.0, 4.0]), np.array([-1, 6], np.int32), dx, g, 0)
    np.testing.assert_array_equal(dx, [0, 0, 0, 0, 0, 0, 4, 0])
