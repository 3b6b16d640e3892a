"""Convolution over register tiles against the plain loops, and the plain loops against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.signal import correlate

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import activation
from minicaffe.kernels import convolution as family
from minicaffe.kernels.tiled import convolution as tiled
from minicaffe.kernels.tiled import forward
from minicaffe.kernels.tiled.panels import sums_apart

from .test_micro import MACHINES

ONES = 1, 1, 1


def geometry(
    n, groups, c, m, size, kernel, stride=ONES, pad=(0, 0, 0), dilation=ONES, bias=1, behind=None
):  # fmt: skip
    """The Conv of three axes, or None if no output is left; `behind` is the padding behind the image."""
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    out = [int((s + p + b - r) / t) + 1 for s, p, b, r, t in zip(size, pad, behind or pad, reach, stride)]
    if min(out) < 1:
        return None
    return family.contiguous(n, groups, c, m, bias, *size, *out, *kernel, *stride, *pad, *dilation)


def extended(g, x_gap=0, y_gap=0, **follows):
    """The same with images so far apart, and with what follows the sum."""
    return g._replace(x_step=g.x_step + x_gap, y_step=g.y_step + y_gap, **follows)


FENCE = 777  # between images that lie apart


class Images:
    """An array of the device whose images lie apart, on either side of a geometry."""

    def __init__(self, device, g, side: str, values) -> None:
        channels, area = (g.c, g.d * g.h * g.w) if side == "x" else (g.m, g.pixels)
        self.device, self.step = device, g.x_step if side == "x" else g.y_step
        self.shape = g.n, g.groups * channels * area
        host = np.full(g.n * self.step, FENCE, np.float64)
        host.reshape(g.n, self.step)[:, : self.shape[1]] = (
            values if np.ndim(values) == 0 else np.reshape(values, self.shape)
        )
        host = host[: max(0, host.size - self.step + self.shape[1])]
        self.data = device.empty(host.shape)
        device.put(host, self.data)

    def get(self) -> np.ndarray:
        """The images (n, elements); what lies between them must be as it was."""
        n, size = self.shape
        host = np.full(n * self.step, FENCE, self.device.dtype)
        got = self.device.get(self.data)
        host[: got.size] = got
        host = host.reshape(n, self.step)
        np.testing.assert_array_equal(host[:, size:], FENCE)
        return host[:, :size]


def run(device, g, kernels=None, mask=None):
    """y, dx, dw, dy and db of one geometry; what must be written starts as NaN, what must be added to does
    not.  `mask`: backward's y, instead of the one just computed.  Where a sum is almost 0 its sign is a
    matter of rounding, and with it a whole gradient: two devices are comparable behind one mask alone."""
    rng = np.random.default_rng(0)
    kernels = kernels or device.bind(family)

    def array(count, values=None):
        out = device.empty((count,))
        device.put(rng.standard_normal(count) if values is None else np.full(count, values), out)
        return out

    def images(side, values=None):
        size = g.n * g.groups * (g.c * g.d * g.h * g.w if side == "x" else g.m * g.pixels)
        return Images(device, g, side, rng.standard_normal(size) if values is None else values)

    x, w = images("x"), array(g.groups * g.m * g.c * g.taps)
    b, factors = array(g.groups * g.m), array(g.groups * g.m)
    y = images("y", np.nan)
    kernels.conv_forward(x.data, w, factors, b, y.data, g)
    dy, dx, dw, db = images("y"), images("x"), array(w.size, 1.0), array(b.size, 1.0)
    if not g.add:
        dx = images("x", np.nan)
    seen = y if mask is None else Images(device, g, "y", mask)
    kernels.conv_backward_bias(seen.data, dy.data, db, g)
    kernels.conv_backward_data(dy.data, w, dx.data, g)
    kernels.conv_backward_weights(x.data, dy.data, dw, g)
    return [y.get(), dx.get(), device.get(dw), dy.get(), device.get(db)]


def compare(device, g, tolerance):
    plain = run(CpuDevice(np.float64, kernels="plain"), g)
    for name, got, wanted in zip(("y", "dx", "dw", "dy", "db"), run(device, g, mask=plain[0]), plain):
        most = np.abs(wanted).max(initial=1.0)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * most, err_msg=f"{name} of {g}")


class OneByOne:
    """The family on images that do not lie apart, with what follows its products done by other kernels."""

    def __init__(self, device) -> None:
        self.device, self.k, self.activation = device, device.bind(family), device.bind(activation)

    def conv_forward(self, x, w, factors, b, y, g):
        self.k.conv_forward(x, w, factors, b, y, g._replace(relu=0))
        if g.relu:
            self.activation.relu_forward(y, y, 0.0)

    def conv_backward_bias(self, y, dy, db, g):
        if g.relu:
            self.activation.relu_backward(y, dy, dy, 0.0)
        self.k.conv_backward_bias(y, dy, db, g._replace(relu=0))

    def conv_backward_data(self, dy, w, dx, g):
        before = self.device.get(dx)
        self.k.conv_backward_data(dy, w, dx, g._replace(add=0))
        if g.add:
            self.device.put(before + self.device.get(dx), dx)

    def conv_backward_weights(self, x, dy, dw, g):
        self.k.conv_backward_weights(x, dy, dw, g)


def check_one_by_one(device, g, close=()):
    """Images apart, ReLU and adding change no bit of any result but those that are only `close`."""
    together = g._replace(x_step=g.groups * g.c * g.d * g.h * g.w, y_step=g.groups * g.m * g.pixels)
    wanted = run(device, together, OneByOne(device))
    for name, got, one in zip(("y", "dx", "dw", "dy", "db"), run(device, g), wanted):
        if name in close:
            rounding = 1e-5 if device.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(got, one, rtol=rounding, atol=10 * rounding, err_msg=f"{name} of {g}")
        else:
            np.testing.assert_array_equal(got, one, err_msg=f"{name} of {g}")


three = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
few, flag = st.integers(1, 3), st.integers(0, 1)
# For `extended`.
extras = st.fixed_dictionaries(
    {"x_gap": st.integers(0, 3), "y_gap": st.integers(0, 3), "scaled": flag, "relu": flag, "add": flag}
)


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
    flag,
    extras,
    st.none() | st.tuples(*[st.integers(0, 4)] * 3),
)
def test_any_geometry(n, groups, c, m, size, kernel, stride, pad, dilation, bias, more, behind):
    g = geometry(n, groups, c, m, size, kernel, stride, tuple(p - 1 for p in pad), dilation, bias, behind)
    assume(g is not None)
    compare(CpuDevice(np.float64), extended(g, **more), 1e-12)


CASES = {
    "lenet conv2": geometry(3, 1, 20, 50, (1, 12, 12), (1, 5, 5)),
    "one channel": geometry(2, 1, 1, 20, (1, 28, 28), (1, 5, 5)),
    "1x1": geometry(2, 1, 37, 40, (1, 7, 7), (1, 1, 1)),
    "padded 3x3": geometry(2, 1, 6, 33, (1, 14, 14), (1, 3, 3), pad=(0, 1, 1)),
    "stride 2": geometry(2, 1, 3, 17, (1, 15, 15), (1, 7, 7), stride=(1, 2, 2), pad=(0, 3, 3)),
    "stride 4, columns that no tap reads": geometry(1, 1, 3, 5, (1, 23, 21), (1, 5, 3), (1, 4, 4), (0, 1, 2)),
    "1x1, stride 2": geometry(2, 2, 20, 31, (1, 15, 26), (1, 1, 1), (1, 2, 2)),
    "stride 2 without padding": geometry(1, 1, 6, 70, (3, 7, 17), (2, 2, 3), (2, 1, 2), dilation=(1, 2, 1)),
    "few pixels": geometry(1, 2, 5, 45, (1, 4, 5), (1, 3, 3), pad=(0, 1, 1)),
    "depthwise": geometry(2, 9, 1, 1, (1, 10, 10), (1, 3, 3), pad=(0, 1, 1), bias=0),
    "depthwise, stride 2": geometry(1, 3, 1, 1, (1, 41, 39), (1, 3, 3), (1, 2, 2), pad=(0, 1, 1)),
    "depthwise 5x5": geometry(2, 3, 1, 1, (1, 23, 30), (1, 5, 5), (1, 2, 2), (0, 2, 2)),
    "depthwise, dilated": geometry(1, 2, 1, 1, (1, 20, 19), (1, 3, 3), (1, 1, 1), (0, 2, 2), (1, 2, 2)),
    "depthwise, tall": geometry(1, 2, 1, 1, (1, 20, 9), (1, 11, 2), pad=(0, 3, 1)),
    "depthwise, far apart": geometry(1, 2, 1, 1, (1, 22, 26), (1, 5, 5), (1, 5, 5)),
    "depthwise, gaps": geometry(1, 2, 1, 1, (1, 22, 26), (1, 2, 2), (1, 3, 3), (0, 1, 1)),
    "depthwise, much padding": geometry(1, 2, 1, 1, (1, 5, 6), (1, 2, 2), pad=(0, 3, 2)),
    "depthwise, rows shorter than the stride": geometry(1, 3, 1, 1, (1, 1, 2), (1, 1, 1), (1, 1, 3)),
    "depthwise, 3-D": geometry(2, 2, 1, 1, (4, 6, 9), (2, 3, 2), (2, 1, 3), (1, 2, 0), (1, 2, 3)),
    "3-D": geometry(1, 2, 2, 4, (5, 6, 7), (3, 2, 3), stride=(2, 1, 1), pad=(1, 0, 1)),
    "more padding behind": geometry(2, 1, 3, 17, (1, 14, 14), (1, 3, 3), (1, 2, 2), behind=(0, 1, 1)),
    "less padding behind": geometry(2, 2, 6, 33, (1, 9, 14), (1, 3, 5), pad=(0, 2, 3), behind=(0, 0, 1)),
    "1x1, padding behind": geometry(2, 1, 7, 40, (1, 5, 6), (1, 1, 1), behind=(0, 1, 2)),
    "depthwise, more behind": geometry(2, 3, 1, 1, (1, 12, 14), (1, 3, 3), (1, 2, 2), behind=(0, 1, 1)),
    "depthwise, less behind": geometry(1, 3, 1, 1, (1, 9, 13), (1, 3, 3), pad=(0, 2, 1), behind=(0, 0, 2)),
    "window larger than the input": geometry(1, 1, 3, 4, (1, 2, 2), (1, 3, 3), stride=(1, 2, 2)),
}

ALL = {"x_gap": 5, "y_gap": 3, "relu": 1, "add": 1}  # for `extended`

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
    device = CpuDevice(np.float32, machine=machine)
    compare(device, CASES[name], 1e-5)
    check_one_by_one(device, extended(CASES[name], **ALL))


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
@pytest.mark.parametrize("follows", [{}, {"bias": 1}, {"relu": 1}, {"bias": 1, "relu": 1}], ids="_".join)
def test_factors_at_the_edges_of_tiles(machine, follows):
    """Neither the outputs of a group nor the pixels of a plane fill whole tiles."""
    device = CpuDevice(np.float32, machine=machine)
    t = tiled.tiling(device.dtype, machine)
    g = geometry(2, 2, 3, machine.tile_rows + 1, (1, 1, t.width + 2), (1, 1, 2), bias=0)
    rng = np.random.default_rng(0)
    x, outputs = Images(device, g, "x", rng.random((g.n, g.x_step))), []
    w, factors, bias = (device.empty((g.groups * g.m, *more)) for more in ((6,), (), ()))
    for array in (w, factors, bias):
        device.put(rng.standard_normal(array.shape), array)
    for fields in ({}, follows | {"scaled": 1}):
        y, kind = Images(device, extended(g, y_gap=3), "y", np.nan), extended(g, y_gap=3, **fields)
        device.bind(family).conv_forward(x.data, w, factors, bias, y.data, kind)
        outputs.append(y.get().reshape(g.n, -1, g.pixels))
    wanted = outputs[0] * factors[:, None] + (bias[:, None] if "bias" in follows else 0)
    wanted = np.maximum(wanted, 0) if "relu" in follows else wanted
    np.testing.assert_allclose(outputs[1], wanted, atol=1e-5)


@pytest.mark.parametrize("kernels", ["composite", "plain", "python"])
@pytest.mark.parametrize("bias", [0, 1])
def test_what_follows_changes_nothing_else(kernels, bias):
    """The plain loops add to dx tap by tap."""
    g = geometry(2, 2, 2, 3, (1, 4, 5), (1, 3, 2), stride=(1, 1, 2), pad=(0, 1, 1), bias=bias)
    close = () if kernels == "composite" else ("dx",)
    check_one_by_one(CpuDevice(np.float64, kernels=kernels), extended(g, **ALL), close)
    check_one_by_one(CpuDevice(np.float64, kernels=kernels), extended(g, 1, 2, scaled=1), close)


@pytest.mark.parametrize("kernels", ["composite", "plain", "python"])
def test_relu_of_special_values(kernels):
    """As the kernel of ReLU has them: NaN stays, -inf becomes 0."""
    device = CpuDevice(np.float32, kernels=kernels)
    bias = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 2.0], np.float32)
    g = geometry(1, 1, 1, 6, (1, 1, 1), (1, 1, 1))._replace(relu=1)
    y, wanted = np.empty(6, np.float32), np.empty(6, np.float32)
    device.bind(family).conv_forward(np.zeros(1, np.float32), *[np.ones(6, np.float32)] * 2, bias, y, g)
    device.bind(activation).relu_forward(bias, wanted, 0.0)
    np.testing.assert_array_equal(y.view(np.int32), wanted.view(np.int32))


def test_a_bias_that_takes_no_gradient_is_left_alone():
    device = CpuDevice(np.float64)
    g = geometry(1, 1, 1, 2, (1, 1, 3), (1, 1, 1))._replace(relu=1, bias=0)
    y, dy, db = np.array([1.0, 0, -1, np.nan, 2, 3]), np.arange(1.0, 7), np.ones(2)
    device.bind(family).conv_backward_bias(y, dy, db, g)
    np.testing.assert_array_equal(dy, [1, 0, 0, 0, 5, 6])
    np.testing.assert_array_equal(db, 1)


@pytest.mark.parametrize("bias", [0, 1])
def test_finish_is_what_forward_ends_with(bias):
    device, g = CpuDevice(np.float64), extended(CASES["3-D"], y_gap=2, scaled=1, relu=1)._replace(bias=bias)
    rng = np.random.default_rng(1)
    y = Images(device, g, "y", rng.standard_normal(g.n * g.groups * g.m * g.pixels))
    factors, b = rng.standard_normal((2, g.groups * g.m, 1))
    wanted = y.get().reshape(g.n, -1, g.pixels) * factors + bias * b
    device.bind(family).conv_finish(factors, b, y.data, g)
    np.testing.assert_allclose(y.get(), np.maximum(wanted, 0).reshape(y.shape), atol=1e-14)


def test_panels_of_the_weight_gradient_are_cut_when_large(monkeypatch):
    """With room for one vector pair of pixels at a time, an image takes many panels."""
    monkeypatch.setattr(tiled, "PANEL_BYTES", 1)
    compare(CpuDevice(np.float64), CASES["lenet conv2"], 1e-12)


@pytest.mark.parametrize(
    "name", ["padded 3x3", "1x1, stride 2", "depthwise, 3-D", "depthwise 5x5", "lenet conv2", "few pixels"]
)
def test_the_number_of_threads_changes_no_bit(name):
    """With more than there are parts, the outputs of a part are split."""
    results = [run(CpuDevice(np.float32, threads=threads), CASES[name]) for threads in (1, 2, 5)]
    for one, two, five in zip(*results):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, five)


@pytest.mark.parametrize(
    "length, nbytes, parts", [(9, 1, 2), (4095, 1, 2), (4096, 1, 4), (10**6, 1, 16), (10**6, 4 << 20, 8)]
)
def test_parts_of_a_sum(length, nbytes, parts):
    assert sums_apart(length, nbytes) == parts


@pytest.mark.parametrize("groups", [1, 2])
def test_few_pixels_give_the_same_bits_as_many(groups):
    """Two images of one batch, and each by itself."""
    device, k = CpuDevice(np.float32), 5 * 9
    g = geometry(2, groups, 5, 30, (1, 4, 5), (1, 3, 3), pad=(0, 1, 1))
    one = g._replace(n=1)
    assert forward.few_pixels(one.m, one) and not forward.few_pixels(g.m, g)
    rng = np.random.default_rng(0)
    x, w, b, y = (device.empty((n,)) for n in (2 * g.x_step, groups * g.m * k, groups * g.m, 2 * g.y_step))
    for array in (x, w, b):
        device.put(rng.standard_normal(array.shape), array)
    convolve, together = device.bind(family).conv_forward, device.empty(y.shape)
    convolve(x, w, b, b, together, g)
    for i in range(2):
        convolve(x[i * g.x_step :][: g.x_step], w, b, b, y[i * g.y_step :][: g.y_step], one)
    np.testing.assert_array_equal(y, together)


@pytest.mark.parametrize("name", ["1x1", "1x1, stride 2", "padded 3x3", "few pixels"])
def test_blocks_and_packed_weights_change_no_bit(name, monkeypatch):
    """Blocks of one panel, and weights that are always packed, or never."""
    device, g = CpuDevice(np.float32, threads=2), CASES[name]
    wanted = run(device, g)[0]
    for limits in ({"BLOCK_BYTES": 1}, {"PACKED_FROM": 0}, {"PACKED_FROM": 1 << 30, "SHARE_BYTES": 1}):
        for limit, value in limits.items():
            monkeypatch.setattr(forward, limit, value)
        forward.plan.cache_clear()
        np.testing.assert_array_equal(run(device, g)[0], wanted)
    forward.plan.cache_clear()


@pytest.mark.parametrize("bias", [0, 1])
def test_depthwise_planes_of_several_blocks(bias):
    """With factors and ReLU, and images that lie apart."""
    g = geometry(2, 3, 1, 1, (1, 50, 60), (1, 2, 4), pad=(0, 1, 1), bias=bias)
    compare(CpuDevice(np.float64), extended(g, 3, 5, scaled=1, relu=1), 1e-12)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
def test_depthwise_sums_hold_no_element_that_no_tap_reads(machine):
    """An infinite first column is under the first column of taps alone, also where vectors stick out over
    the end of a row."""
    device, g = CpuDevice(np.float32, machine=machine), geometry(1, 1, 1, 1, (1, 6, 7), (1, 3, 3))
    x, dy, dw = np.ones((6, 7), np.float32), np.ones(g.pixels, np.float32), np.zeros((3, 3), np.float32)
    x[:, 0] = np.inf
    device.bind(family).conv_backward_weights(x, dy, dw, g)
    np.testing.assert_array_equal(dw, [[np.inf, g.pixels, g.pixels]] * 3)


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
