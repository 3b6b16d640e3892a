"""Winograd's F(4x4, 3x3) against the plain loops, its transforms against their matrices, and the choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution as family
from minicaffe.kernels.micro.machine import host
from minicaffe.kernels.micro.winograd import MATRICES, sandwich
from minicaffe.kernels.tiled import choice
from minicaffe.kernels.tiled.choice import WAYS, choose

from .test_convolution import ALL, Images, check_one_by_one, compare, extended, extras, geometry, run
from .test_micro import MACHINES, call, each_machine, fenced

# Of the largest value.  Sums of at most 40 x 9 products; float32 by itself is within 1e-6.
TOLERANCE = 1e-5


def windows(n, groups, c, m, height, width, top=1, left=1, bias=1):
    return geometry(n, groups, c, m, (1, height, width), (1, 3, 3), pad=(0, top, left), bias=bias)


CASES = {
    "whole tiles": windows(2, 1, 16, 32, 8, 12),
    "ragged": windows(2, 2, 21, 37, 7, 9),
    "a tile and more": windows(1, 1, 16, 16, 5, 3),
    "less than a tile": windows(3, 1, 17, 16, 1, 2),
    "no padding": windows(2, 1, 20, 18, 6, 11, 0, 0, bias=0),
    "wide padding": windows(1, 2, 16, 19, 4, 5, 4, 3),
    "many tiles": windows(2, 2, 19, 37, 29, 25),
}


@pytest.fixture(autouse=True, scope="module")
def always():
    """Winograd wherever it can be, not where it pays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "LEAST_GAIN", 0)
        choose.cache_clear()
        yield
    choose.cache_clear()


@each_machine
@pytest.mark.parametrize("name", MATRICES)
def test_a_transform_is_its_matrix_on_both_sides(machine, name):
    rng, matrix, lanes = np.random.default_rng(0), MATRICES[name], machine.lanes(4)
    height, extent = matrix.shape
    blocks = rng.standard_normal((3, extent, extent, lanes)).astype(np.float32)
    scale, bias = rng.standard_normal((2, lanes)).astype(np.float32)
    for finish in ("set", "scale_bias_relu"):
        out, fence = fenced((3, height, height, lanes), np.float32)
        strides = [[size * size * lanes, size * lanes, lanes] for size in (extent, height)]
        (step, *source), (out_step, *target) = strides
        address = sandwich(name, finish, 4, machine)
        call(address, 3, blocks, *source, step, out, *target, out_step, scale, bias)
        wanted = np.einsum("ij,njkl,mk->niml", matrix, blocks, matrix)
        if finish != "set":
            wanted = np.maximum(wanted * scale + bias, 0)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
        assert (fence == 777).all()


def test_the_transforms_make_a_correlation():
    rng = np.random.default_rng(0)
    d, g = rng.standard_normal((6, 6)), rng.standard_normal((3, 3))
    values, factors = (MATRICES[k] @ a @ MATRICES[k].T for k, a in (("image", d), ("weights", g)))
    found = MATRICES["sums"] @ (values * factors) @ MATRICES["sums"].T
    wanted = [[(d[i : i + 3, j : j + 3] * g).sum() for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(16, 40),
    st.integers(16, 40),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.integers(0, 1),
    extras,
)
def test_any_geometry(n, groups, c, m, size, pad, bias, more):
    assume(min(s + 2 * p for s, p in zip(size, pad)) >= 3)
    g = extended(windows(n, groups, c, m, *size, *pad, bias=bias), **more)
    assert all(choose(way, g).winograd for way in WAYS)
    compare(CpuDevice(np.float32), g, TOLERANCE)


@each_machine
@pytest.mark.parametrize("name", CASES)
def test_every_vector_width(machine, name):
    device = CpuDevice(np.float32, machine=machine)
    compare(device, CASES[name], TOLERANCE)
    # db is summed by another kernel, in loops of their own with ReLU and without.
    check_one_by_one(device, extended(CASES[name], **ALL), close=("db",))


@pytest.mark.parametrize("name", ["ragged", "many tiles"])
def test_any_number_of_threads_gives_the_same_bits(name):
    device, found = CpuDevice(np.float32), []
    for device.threads in (1, 2, 3, 5):
        found.append(run(device, extended(CASES[name], **ALL)))
    for other in found[1:]:
        for name, one, two in zip(("y", "dx", "dw"), found[0], other):
            np.testing.assert_array_equal(one, two, err_msg=name)


@pytest.mark.parametrize("name", MATRICES)
def test_a_planted_fault_is_seen(monkeypatch, name):
    compare(CpuDevice(np.float32), CASES["ragged"], TOLERANCE)
    sandwich.cache_clear()
    try:
        monkeypatch.setitem(MATRICES, name, MATRICES[name] * (1 + 2e-5))
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            compare(CpuDevice(np.float32), CASES["ragged"], TOLERANCE)
    finally:
        sandwich.cache_clear()


@pytest.mark.parametrize("c, m, size", [(64, 192, 12), (96, 128, 14), (160, 320, 14), (512, 512, 7)])
def test_errors_stay_small_in_deep_sums(c, m, size):
    """Of the largest value, on inputs as ReLU leaves them: docs/kernels.md has them for whole layers.  The
    rounding of each product grows with the transforms, tenfold at most, and that of sums with their length:
    1e-5 is thrice what is seen at 512 channels."""
    g, rng, found = windows(2, 1, c, m, size, size), np.random.default_rng(0), []
    x, dy = np.maximum(rng.standard_normal((2, c, size, size)), 0), rng.standard_normal((2, m, size, size))
    w = rng.standard_normal((m, c, 3, 3)) * (2 / (9 * c)) ** 0.5
    for device in (CpuDevice(np.float64), CpuDevice(np.float32)):
        k, arrays = device.bind(family), [device.empty((a.size,)) for a in (x, w, dy)]
        for host_array, array in zip((x, w, dy), arrays):
            device.put(host_array.ravel(), array)
        y, dx, dw = device.empty((dy.size,)), device.empty((x.size,)), device.zeros((w.size,))
        k.conv_forward(arrays[0], arrays[1], arrays[1], device.zeros((m,)), y, g)
        k.conv_backward_data(arrays[2], arrays[1], dx, g)
        k.conv_backward_weights(arrays[0], arrays[2], dw, g)
        found.append((y, dx, dw))
    for way, wanted, got in zip(WAYS, *found):
        error = np.abs(got - wanted).max() / np.abs(wanted).max()
        assert error < 1e-5, f"{way}: {error:.1e}"


def test_what_is_not_a_number_is_seen():
    device, g = CpuDevice(np.float32), CASES["whole tiles"]
    x, w, b = Images(device, g, "x", 1.0), device.zeros((g.m * g.c * 9,)), device.zeros((g.m,))
    x.data[5] = np.nan
    y = Images(device, g, "y", 0.0)
    device.bind(family).conv_forward(x.data, w, w, b, y.data, g._replace(relu=1))
    assert np.isnan(y.get()[0]).any() and not np.isnan(y.get()[1]).any()


def test_exact_is_direct():
    """Whatever it is called, and in float64 always."""
    g = CASES["ragged"]
    wanted = run(CpuDevice(np.float32, math="exact"), g)
    for device in (CpuDevice(math="FP32"), CpuDevice().with_math("EXACT")):
        assert device.math == "EXACT"
        for one, two in zip(wanted, run(device, g)):
            np.testing.assert_array_equal(one, two)
    assert not np.array_equal(wanted[0], run(CpuDevice(math="TF32"), g)[0])
    assert not any(choose(way, g, "FAST", 8).winograd for way in WAYS)
    device = CpuDevice()
    assert device.with_math("FAST") is device and device.with_math("exact").with_math("fast") is device


@pytest.mark.parametrize(
    "g, words",
    [
        (windows(32, 1, 64, 192, 56, 56), "winograd F(4x4): 64->192 3x3@56, 4.0x fewer products, about "),
        (windows(1, 1, 192, 384, 7, 7), "direct: 192->384 3x3@7, 3.1x fewer products, about 1.0x as fast"),
        (windows(8, 2, 64, 64, 28, 28), "winograd F(4x4): 128->128 3x3@28, 2 groups, 4.0x fewer"),
        (windows(32, 1, 3, 64, 224, 224), "direct: 3->64 3x3@224, fewer than 16 channels"),
        (
            geometry(8, 1, 64, 64, (1, 28, 28), (1, 3, 3), stride=(1, 2, 2), pad=(0, 1, 1)),
            "direct: 64->64 3x3@14, not 3x3 with stride and dilation 1",
        ),
    ],
)
def test_the_choice_explains_itself(monkeypatch, g, words):
    monkeypatch.undo()
    choose.cache_clear()
    monkeypatch.setattr(choice, "LEAST_GAIN", 1.15)
    assert choose("forward", g).words.startswith(words)
    choose.cache_clear()


def test_what_pays_on_wide_vectors_is_chosen_on_narrow_ones():
    for machine in (*MACHINES.values(), host()):
        assert choose("forward", windows(32, 1, 64, 192, 56, 56), lanes=machine.lanes(4)).winograd
