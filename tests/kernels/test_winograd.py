"""Winograd's schemes against the plain loops, their transforms against their matrices, and the choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution as family
from minicaffe.kernels.micro.kernel import micro_kernel
from minicaffe.kernels.micro.machine import host
from minicaffe.kernels.micro.winograd import SCHEMES, matrices, sandwich
from minicaffe.kernels.tiled import choice, winograd, winograd_weights
from minicaffe.kernels.tiled.choice import WAYS, choose

from .test_convolution import ALL, Images, check_one_by_one, compare, extended, extras, geometry, run
from .test_micro import MACHINES, call, each_machine, fenced

# Of the largest value, for each window.  Sums of at most 40 x 25 products; float32 by itself is within 1e-6.
# Eight points are farther apart than six, in powers up to the seventh: rounding grows four times as much.
TOLERANCES = {3: 1e-5, 5: 4e-5}
NAMES = tuple(matrices(SCHEMES[3]))
each_window = pytest.mark.parametrize("taps", SCHEMES)


def windows(n, groups, c, m, height, width, top=None, left=None, bias=1, taps=3, behind=None):
    """With padding that keeps the size, unless told otherwise."""
    pad = 0, *(taps // 2 if side is None else side for side in (top, left))
    size, ends = (1, height, width), behind and (0, *behind)
    return geometry(n, groups, c, m, size, (1, taps, taps), pad=pad, bias=bias, behind=ends)


CASES = {
    "whole tiles": windows(2, 1, 16, 32, 8, 12),
    "ragged": windows(2, 2, 21, 37, 7, 9),
    "a tile and more": windows(1, 1, 16, 16, 5, 3),
    "less than a tile": windows(3, 1, 17, 16, 1, 2),
    "no padding": windows(2, 1, 20, 18, 6, 11, 0, 0, bias=0),
    "wide padding": windows(1, 2, 16, 19, 4, 5, 4, 3),
    "many tiles": windows(2, 2, 19, 37, 29, 25),
    "5x5, whole tiles": windows(2, 1, 16, 32, 8, 12, taps=5),
    "5x5, ragged": windows(2, 2, 21, 37, 7, 9, taps=5),
    "5x5, less than a tile": windows(3, 1, 17, 16, 1, 2, taps=5),
    "5x5, no padding": windows(2, 1, 20, 50, 12, 11, 0, 0, bias=0, taps=5),
    "5x5, padding of one": windows(1, 2, 16, 19, 9, 6, 1, 1, taps=5),
    "5x5, wide padding": windows(1, 2, 16, 19, 4, 5, 6, 5, taps=5),
    "5x5, many tiles": windows(2, 2, 19, 37, 29, 25, taps=5),
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
@each_window
@pytest.mark.parametrize("name", NAMES)
def test_a_transform_is_its_matrix_on_both_sides(machine, taps, name):
    scheme, rng, lanes = SCHEMES[taps], np.random.default_rng(0), machine.lanes(4)
    matrix = matrices(scheme)[name]
    height, extent = matrix.shape
    blocks = rng.standard_normal((3, extent, extent, lanes)).astype(np.float32)
    scale, bias = rng.standard_normal((2, lanes)).astype(np.float32)
    for finish in ("set", "scale_bias_relu"):
        out, fence = fenced((3, height, height, lanes), np.float32)
        strides = [[size * size * lanes, size * lanes, lanes] for size in (extent, height)]
        (step, *source), (out_step, *target) = strides
        address = sandwich(scheme, name, finish, 4, machine)
        call(address, 3, blocks, *source, step, out, *target, out_step, scale, bias)
        wanted = np.einsum("ij,njkl,mk->niml", matrix, blocks, matrix)
        if finish != "set":
            wanted = np.maximum(wanted * scale + bias, 0)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=3e-6 * np.abs(wanted).max())
        assert (fence == 777).all()


@each_window
def test_the_transforms_make_a_correlation(taps):
    scheme, rng, m = SCHEMES[taps], np.random.default_rng(0), matrices(SCHEMES[taps])
    d, g = rng.standard_normal((scheme.extent, scheme.extent)), rng.standard_normal((taps, taps))
    values, factors = (m[k] @ a @ m[k].T for k, a in (("image", d), ("weights", g)))
    found, outs = m["sums"] @ (values * factors) @ m["sums"].T, range(scheme.out)
    wanted = [[(d[i : i + taps, j : j + taps] * g).sum() for j in outs] for i in outs]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(list(SCHEMES)),
    st.integers(16, 40),
    st.integers(16, 40),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.integers(0, 1),
    extras,
    st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_any_geometry(n, groups, taps, c, m, size, pad, bias, more, behind):
    assume(min(s + p + b for s, p, b in zip(size, pad, behind or pad)) >= taps)
    g = extended(windows(n, groups, c, m, *size, *pad, bias=bias, taps=taps, behind=behind), **more)
    assert all(choose(way, g).winograd for way in WAYS)
    compare(CpuDevice(np.float32), g, TOLERANCES[taps])


@each_machine
@pytest.mark.parametrize("name", CASES)
def test_every_vector_width(machine, name):
    device = CpuDevice(np.float32, machine=machine)
    compare(device, CASES[name], TOLERANCES[CASES[name].kh])
    # db is summed by another kernel, in loops of their own with ReLU and without.
    check_one_by_one(device, extended(CASES[name], **ALL), close=("db",))


@pytest.mark.parametrize("name", ["ragged", "many tiles", "5x5, ragged", "5x5, many tiles"])
def test_any_number_of_threads_gives_the_same_bits(name):
    device, found = CpuDevice(np.float32), []
    for device.threads in (1, 2, 3, 5):
        found.append(run(device, extended(CASES[name], **ALL)))
    for other in found[1:]:
        for name, one, two in zip(("y", "dx", "dw"), found[0], other):
            np.testing.assert_array_equal(one, two, err_msg=name)


@each_window
@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_seen(monkeypatch, taps, name):
    g, found, tolerance = windows(2, 2, 21, 37, 7, 9, taps=taps), matrices(SCHEMES[taps]), TOLERANCES[taps]
    compare(CpuDevice(np.float32), g, tolerance)
    monkeypatch.setattr("minicaffe.kernels.cache.folder", lambda: None)  # none of those that were kept
    afresh = micro_kernel(sandwich.__wrapped__)
    for module in (winograd, winograd_weights):
        monkeypatch.setattr(module, "sandwich", afresh)
    monkeypatch.setitem(found, name, found[name] * (1 + 2 * tolerance))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare(CpuDevice(np.float32), g, tolerance)


@pytest.mark.parametrize(
    "taps, c, m, size",
    [
        *[(3, 64, 192, 12), (3, 96, 128, 14), (3, 160, 320, 14), (3, 512, 512, 7)],
        *[(5, 16, 32, 28), (5, 32, 96, 12), (5, 96, 256, 13), (5, 192, 192, 14)],
    ],
)
def test_errors_stay_small_in_deep_sums(taps, c, m, size):
    """Of the largest value, on inputs as ReLU leaves them: docs/kernels.md has them for whole layers.  The
    rounding of each product grows with the transforms, and that of sums with their length: 1e-5 is thrice
    what is seen of 3x3 at 512 channels, and 4e-5 of 5x5 at 192."""
    g, rng, found = windows(2, 1, c, m, size, size, taps=taps), np.random.default_rng(0), []
    x, dy = np.maximum(rng.standard_normal((2, c, size, size)), 0), rng.standard_normal((2, m, size, size))
    w = rng.standard_normal((m, c, taps, taps)) * (2 / (taps**2 * c)) ** 0.5
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
        assert error < TOLERANCES[taps], f"{way}: {error:.1e}"


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
        (windows(1, 1, 192, 384, 7, 7), "direct: 192->384 3x3@7, 3.1x fewer products, about 0.8x as fast"),
        (windows(8, 2, 64, 64, 28, 28), "winograd F(4x4): 128->128 3x3@28, 2 groups, 4.0x fewer"),
        (windows(8, 1, 32, 96, 28, 28, taps=5), "winograd F(4x4): 32->96 5x5@28, 6.2x fewer"),
        (windows(32, 1, 3, 64, 224, 224), "direct: 3->64 3x3@224, fewer than 16 channels"),
        (
            geometry(8, 1, 64, 64, (1, 28, 28), (1, 3, 3), stride=(1, 2, 2), pad=(0, 1, 1)),
            "direct: 64->64 3x3@14, not 3x3 or 5x5 with stride and dilation 1",
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
