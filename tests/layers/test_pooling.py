"""Pooling."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, positive

POOL = 'type: "Pooling" pooling_param {{ {} }}'
SHAPE = ((2, 3, 6, 7),)

CASES = [
    Case(POOL.format("kernel_size: 2 stride: 2"), SHAPE),
    Case(POOL.format("kernel_size: 3 stride: 2"), SHAPE, tops=2),
    Case(POOL.format("kernel_size: 3 pad: 1"), SHAPE),
    Case(POOL.format("kernel_h: 4 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 2 pad_w: 1"), SHAPE),
    Case(POOL.format("kernel_size: 3 stride: 2 pad: 2 round_mode: FLOOR"), SHAPE),
    Case(POOL.format("global_pooling: true"), SHAPE),
    Case(POOL.format("pool: AVE kernel_size: 3 stride: 2"), SHAPE),
    Case(POOL.format("pool: AVE kernel_h: 2 kernel_w: 3 stride: 2 pad: 1"), SHAPE),
    Case(POOL.format("pool: AVE global_pooling: true"), SHAPE),
    Case(POOL.format("kernel_size: 3 stride: 2 pad: 1"), ((2, 3, 9),), tops=2),
    Case(POOL.format("kernel_size: 3 stride: 2 pad: 1"), ((2, 2, 4, 5, 6),), tops=2),
    Case(POOL.format("pool: AVE kernel_size: 2 stride: 2"), ((2, 2, 3, 5, 4),)),
    Case(POOL.format("pool: AVE global_pooling: true"), ((2, 2, 3, 2, 4),)),
    Case(POOL.format("pool: AVE_EXC_PAD kernel_h: 2 kernel_w: 3 stride: 2 pad: 1"), SHAPE),
    Case(POOL.format("pool: AVE avg_include_pad: false kernel_size: 3 pad: 2"), ((2, 2, 3, 5, 4),)),
    *[
        Case(POOL.format(f"pool: STOCHASTIC {window}"), (shape,), (maker,), phase=phase)
        for phase in ("TRAIN", "TEST")
        for window, shape, maker in [
            ("kernel_size: 3 stride: 2", SHAPE[0], positive),
            ("kernel_size: 2 stride: 1 pad: 1", SHAPE[0], distinct),
            ("global_pooling: true", (2, 3, 7), positive),
            ("kernel_size: 2 stride: 2", (2, 2, 3, 4, 5), positive),
        ]
    ],
]


def windows(shape, out, kernel, stride, pad):
    """Of every output: its index, and the rows and columns of its window, unclipped."""
    for n, c, i, j in itertools.product(range(shape[0]), range(shape[1]), *map(range, out)):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        yield (n, c, i, j), range(top, top + kernel[0]), range(left, left + kernel[1])


def reference(x, method, out, kernel, stride, pad):
    """Maxima and their indices, or means; straight from the definition."""
    h, w = x.shape[2:]
    y = np.zeros((*x.shape[:2], *out))
    mask = np.zeros_like(y)
    for at, rows, columns in windows(x.shape, out, kernel, stride, pad):
        inside = [r * w + c for r in rows for c in columns if 0 <= r < h and 0 <= c < w]
        values = x[at[:2]].reshape(-1)[inside]
        if method == "MAX":
            y[at], mask[at] = values.max(), inside[values.argmax()]
        elif method != "AVE":
            y[at] = values.mean()
        else:
            counted = [(r, c) for r in rows for c in columns if r < h + pad[0] and c < w + pad[1]]
            y[at] = values.sum() / len(counted)
    return (y, mask) if method == "MAX" else y


def extent(size, kernel, stride, pad, padded, ceil):
    steps = (size + 2 * pad - kernel) / stride
    out = int(np.ceil(steps) if ceil else np.floor(steps)) + 1
    return out - 1 if padded and (out - 1) * stride >= size + pad else out


@st.composite
def pools(draw):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = tuple(draw(st.integers(1, k + 1)) for k in kernel)
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = tuple(draw(st.integers(k, 9)) for k in kernel)
    return size, kernel, stride, pad, draw(st.booleans())


@each_device
@given(pool=pools(), method=st.sampled_from(["MAX", "AVE", "AVE_EXC_PAD"]))
def test_against_the_definition(device, pool, method):
    size, kernel, stride, pad, ceil = pool
    out = tuple(extent(*axis, any(pad), ceil) for axis in zip(size, kernel, stride, pad))
    fields = [
        f"{name}_{axis}: {v}"
        for name, pair in zip(("kernel", "stride", "pad"), (kernel, stride, pad))
        for axis, v in zip("hw", pair)
    ]
    layer = POOL.format(" ".join([f"pool: {method} round_mode: {'CEIL' if ceil else 'FLOOR'}", *fields]))
    case = Case(layer, ((1, 2, *size),), tops=2 if method == "MAX" else 1)
    if any((o - 1) * s - p >= n for o, s, p, n in zip(out, stride, pad, size)):
        with pytest.raises(ShapeError, match="outside an input"):
            Rig(case, device)
        return
    check_forward(case, device, lambda x: reference(x, method, out, kernel, stride, pad))
    check_gradient(case, device)


def pool(device, text, x, tops=1):
    """Tops for one plane x."""
    x = np.array(x, float)
    rig = Rig(Case(POOL.format(text), ((1, 1, *x.shape),), tops=tops), device)
    return [y[0, 0] for y in rig.forward([x[None, None]])]


@each_device
def test_a_square_window(device):
    y, mask = pool(device, "kernel_size: 2", [[1, 2, 5, 2, 3], [9, 4, 1, 4, 8], [1, 2, 5, 2, 3]], tops=2)
    np.testing.assert_array_equal(y, [[9, 5, 5, 8], [9, 5, 5, 8]])
    np.testing.assert_array_equal(mask, [[5, 2, 2, 9], [5, 12, 12, 9]])


MAGIC = [
    [35, 1, 6, 26, 19, 24],
    [3, 32, 7, 21, 23, 25],
    [31, 9, 2, 22, 27, 20],
    [8, 28, 33, 17, 10, 15],
    [30, 5, 34, 12, 14, 16],
    [4, 36, 29, 13, 18, 11],
]


@each_device
def test_a_high_window(device):
    y, mask = pool(device, "kernel_h: 3 kernel_w: 2", MAGIC, tops=2)
    np.testing.assert_array_equal(
        y,
        [[35, 32, 26, 27, 27], [32, 33, 33, 27, 27], [31, 34, 34, 27, 27], [36, 36, 34, 18, 18]],
    )
    np.testing.assert_array_equal(
        mask,
        [[0, 7, 3, 16, 16], [7, 20, 20, 16, 16], [12, 26, 26, 16, 16], [31, 31, 26, 34, 34]],
    )


@each_device
def test_a_wide_window(device):
    y, mask = pool(device, "kernel_h: 2 kernel_w: 3", MAGIC, tops=2)
    np.testing.assert_array_equal(
        y,
        [[35, 32, 26, 26], [32, 32, 27, 27], [33, 33, 33, 27], [34, 34, 34, 17], [36, 36, 34, 18]],
    )
    np.testing.assert_array_equal(
        mask,
        [[0, 7, 3, 3], [7, 7, 16, 16], [20, 20, 20, 16], [26, 26, 26, 21], [31, 31, 26, 34]],
    )


@each_device
def test_padding_never_wins(device):
    (y,) = pool(device, "kernel_size: 3 stride: 2 pad: 2", [[1, 2, 4], [2, 3, 2], [4, 2, 1]])
    np.testing.assert_array_equal(y, [[1, 4, 4], [4, 4, 4], [4, 4, 1]])
    (y,) = pool(device, "kernel_size: 3 pad: 1", -np.ones((2, 20)))
    np.testing.assert_array_equal(y, -np.ones((2, 20)))


@each_device
def test_the_mean_counts_padding(device):
    (y,) = pool(device, "pool: AVE kernel_size: 3 pad: 1", 2 * np.ones((3, 3)))
    np.testing.assert_allclose(y, np.array([[8, 12, 8], [12, 18, 12], [8, 12, 8]]) / 9)


@each_device
def test_the_mean_does_not_count_what_lies_beyond_the_padding(device):
    (y,) = pool(device, "pool: AVE kernel_size: 3 stride: 2 pad: 1", np.ones((4, 4)))
    np.testing.assert_allclose(y, [[4 / 9, 6 / 9, 2 / 6], [6 / 9, 1, 3 / 6], [2 / 6, 3 / 6, 1 / 4]])


@each_device
@pytest.mark.parametrize("method", ["AVE avg_include_pad: false", "AVE_EXC_PAD", "AVE_TF"])
def test_the_mean_of_what_lies_in_the_image(device, method):
    (y,) = pool(device, f"pool: {method} kernel_size: 3 stride: 2 pad: 1", np.ones((4, 4)))
    np.testing.assert_allclose(y, np.ones((3, 3)))


@each_device
def test_avg_include_pad_is_for_means(device):
    x = np.arange(16.0).reshape(4, 4)
    for text in ("pool: MAX kernel_size: 3 pad: 1", "pool: AVE avg_include_pad: true kernel_size: 3 pad: 1"):
        same = text.replace(" avg_include_pad: true", "")
        got, wanted = (
            pool(device, f, x)[0] for f in (f"avg_include_pad: {'AVE' in text} ".lower() + same, same)
        )
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("fields", "size", "out"),
    [
        ("kernel_size: 3 stride: 2", (6, 5), (3, 2)),
        ("kernel_size: 3 stride: 2 pad: 1", (6, 5), (4, 3)),
        ("kernel_size: 3 stride: 2 round_mode: FLOOR", (6, 5), (2, 2)),
        ("global_pooling: true", (6, 5), (1, 1)),
        ("kernel_size: 3 stride: 2", (2, 2), (1, 1)),  # rounding up forgives a kernel that is too large
        ("kernel_size: 1 stride: 5 pad_h: 0 pad_w: 0", (6, 6), (2, 2)),
    ],
)
def test_shapes(cpu, fields, size, out):
    rig = Rig(Case(POOL.format(fields), ((2, 3, *size),)), cpu)
    assert rig.top[0].shape == (2, 3, *out)


def test_global_pooling_follows_the_image(cpu):
    rig = Rig(Case(POOL.format("global_pooling: true pool: AVE"), ((1, 1, 2, 2),)), cpu)
    rig.bottom[0].reshape(1, 1, 4, 3)
    rig.net.reshape()
    x = np.arange(12.0).reshape(1, 1, 4, 3)
    assert rig.forward([x])[0].item() == x.mean()


@each_device
def test_the_first_of_equal_values_wins(device):
    _, mask = pool(device, "kernel_size: 2 stride: 2", np.zeros((4, 8)), tops=2)
    np.testing.assert_array_equal(mask, [[0, 2, 4, 6], [16, 18, 20, 22]])


@each_device
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_nan_never_wins_and_infinity_counts(device, stride):
    """A row of windows each: NaN in front, behind, alone; -inf beside NaN, alone."""
    nan, inf = np.nan, np.inf
    pairs = [(nan, 1), (1, nan), (nan, nan), (nan, -inf), (-inf, nan), (-inf, -inf), (inf, nan), (-inf, 1)]
    x = np.array([[v for pair in pairs for v in (*pair, *[-inf] * (stride - 2))]])
    x = x if stride > 1 else np.array([[nan, 1, nan, nan, -inf, -inf, inf]])
    rig = Rig(
        Case(
            POOL.format(f"kernel_h: 1 kernel_w: 2 stride: {stride} round_mode: FLOOR"),
            ((1, 1, *x.shape),),
            tops=2,
        ),
        device,
    )
    y, mask = (top[0, 0, 0] for top in rig.forward([x[None, None]]))
    if stride == 1:
        np.testing.assert_array_equal(y, [1, 1, nan, -inf, -inf, inf])
        np.testing.assert_array_equal(mask, [1, 1, -1, 4, 4, 6])
    else:
        np.testing.assert_array_equal(y, [1, 1, nan, -inf, -inf, -inf, inf, 1])
        np.testing.assert_array_equal(mask - stride * np.arange(8), [1, 0, -1 - 2 * stride, 1, 0, 0, 0, 1])
    rig.device.put(np.ones(rig.top[0].shape), rig.top[0].diff)
    (dx,), _ = rig.backward()
    assert dx.sum() == (mask >= 0).sum()  # nothing for the window of NaN


def volume_reference(x, method, out, kernel, stride, pad):
    """The same for one or three spatial axes and equal values along each."""
    size = np.array(x.shape[2:])
    y = np.zeros((*x.shape[:2], *out))
    mask = np.zeros_like(y)
    places = np.arange(size.prod()).reshape(size)
    for at in np.ndindex(y.shape):
        start = np.array(at[2:]) * stride - pad
        cut = tuple(slice(max(s, 0), s + kernel) for s in start)
        values, inside = x[at[:2]][cut].reshape(-1), places[cut].reshape(-1)
        if method == "MAX":
            y[at], mask[at] = values.max(), inside[values.argmax()]
        elif method != "AVE":
            y[at] = values.mean()
        else:
            y[at] = values.sum() / np.prod(np.minimum(start + kernel, size + pad) - start)
    return (y, mask) if method == "MAX" else y


@st.composite
def volumes(draw):
    axes = draw(st.sampled_from([1, 3]))
    kernel = draw(st.integers(1, 3))
    stride, pad = draw(st.integers(1, kernel)), draw(st.integers(0, kernel - 1))
    size = tuple(draw(st.integers(kernel, 5)) for _ in range(axes))
    return size, kernel, stride, pad, draw(st.booleans())


@each_device
@given(volume=volumes(), method=st.sampled_from(["MAX", "AVE", "AVE_EXC_PAD"]))
def test_one_and_three_axes(device, volume, method):
    size, kernel, stride, pad, ceil = volume
    out = tuple(extent(n, kernel, stride, pad, pad > 0, ceil) for n in size)
    fields = f"pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad}"
    layer = POOL.format(f"{fields} round_mode: {'CEIL' if ceil else 'FLOOR'}")
    case = Case(layer, ((2, 2, *size),), tops=2 if method == "MAX" else 1)
    check_forward(case, device, lambda x: volume_reference(x, method, out, kernel, stride, pad))
    check_gradient(case, device)


@each_device
def test_a_kernel_stride_and_pad_for_each_of_three_axes(device):
    """As Intel's Caffe says them: the maxima along one axis after the other."""
    numbers = {"kernel_size": (1, 3, 2), "stride": (1, 2, 2), "pad": (0, 1, 0)}
    fields = " ".join(f"{name}_3d: {v}" for name, values in numbers.items() for v in values)

    def maxima(x):
        for axis, (kernel, stride, pad) in enumerate(zip(*numbers.values()), 2):
            padded = np.pad(x, [(pad * (i == axis),) * 2 for i in range(5)], constant_values=-np.inf)
            starts = range(0, padded.shape[axis] - kernel + 1, stride)
            x = np.stack([padded.take(range(s, s + kernel), axis).max(axis) for s in starts], axis)
        return x

    case = Case(POOL.format(fields), ((2, 2, 2, 5, 6),))
    check_forward(case, device, maxima)
    check_gradient(case, device)


def test_lists_are_for_three_axes(cpu):
    for fields, shape in (
        ("kernel_size_3d: 2", SHAPE),
        ("kernel_size_3d: 2 kernel_size: 2", ((1, 1, 2, 2, 2),)),
    ):
        with pytest.raises(ConfigError, match="kernel_size_3d is for three axes, in the place of"):
            Rig(Case(POOL.format(fields), shape), cpu)


@each_device
def test_nan_in_a_volume(device):
    x = np.full((1, 1, 2, 1, 4), np.nan)
    x[0, 0, 1, 0, 1], x[0, 0, 0, 0, 2:], x[0, 0, 1, 0, 2:] = -np.inf, 3, 3
    rig = Rig(Case(POOL.format("kernel_size: 2 stride: 2"), (x.shape,), tops=2), device)
    y, mask = rig.forward([x])
    np.testing.assert_array_equal(y.reshape(-1), [-np.inf, 3])
    np.testing.assert_array_equal(mask.reshape(-1), [5, 2])
    y, mask = rig.forward([np.full_like(x, np.nan)])
    assert np.isnan(y).all() and (mask == -1).all()


def test_the_number_of_axes_cannot_change(cpu):
    rig = Rig(Case(POOL.format("kernel_size: 2"), SHAPE), cpu)
    rig.bottom[0].reshape(2, 3, 6)
    with pytest.raises(ShapeError, match=r"bottom 0 of shape \(2, 3, 6\) does not fit a window of 2 axes"):
        rig.net.reshape()


def test_heights_and_widths_are_for_two_axes(cpu):
    with pytest.raises(ConfigError, match="kernel_h and kernel_w are for two spatial axes; there are 3"):
        Rig(Case(POOL.format("kernel_h: 2 kernel_w: 2"), ((1, 1, 3, 3, 3),)), cpu)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "kernel_size is missing"),
        ("kernel_size: 0", "kernel_size must be at least 1"),
        ("kernel_size: 2 kernel_h: 2", "both kernel_size and kernel_h or kernel_w"),
        ("kernel_h: 2", "kernel_w is missing"),
        ("kernel_size: 2 stride: 0", "stride must be at least 1"),
        ("kernel_size: 2 stride_w: 1", "stride_h is missing"),
        ("kernel_size: 2 pad: 1 pad_h: 1 pad_w: 1", "both pad and pad_h or pad_w"),
        ("kernel_h: 2 kernel_w: 3 pad: 2", r"pad must be less than the kernel, \(2, 3\); got \(2, 2\)"),
        ("global_pooling: true kernel_w: 2", "global_pooling pools the whole image; got kernel_w too"),
        ("global_pooling: true stride: 2", "global_pooling takes stride 1 and pad 0"),
    ],
)
def test_refuses_fields(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(Case(POOL.format(fields), SHAPE), cpu)


def test_only_the_maximum_has_a_mask(cpu):
    with pytest.raises(ConfigError, match="a second top, the mask, is for pool: MAX"):
        Rig(Case(POOL.format("pool: AVE kernel_size: 2"), SHAPE, tops=2), cpu)


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("kernel_size: 2", (2, 12), r"bottom 0 must have 4 axes \(n, c, h, w\).*; got \(2, 12\)"),
        ("kernel_size: 2", (1, 1, 2, 2, 2, 2), "or 3 or 5 with one or three spatial axes"),
        ("kernel_size: 4", (1, 1, 5, 2), "a window of 4 does not fit an input of 2 with padding 0"),
        ("kernel_size: 1 stride: 5", (1, 1, 3, 3), "the last window would start at 5, outside an input of 3"),
    ],
)
def test_refuses_shapes(cpu, fields, shape, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(POOL.format(fields), (shape,)), cpu)


def test_in_place_is_refused(cpu):
    with pytest.raises(ConfigError, match="cannot run in place"):
        Rig(Case(POOL.format("kernel_size: 1"), SHAPE), cpu, in_place=True)
