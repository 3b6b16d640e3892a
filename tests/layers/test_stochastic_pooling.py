"""Pooling by chance: pool: STOCHASTIC of Pooling and SPP."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.net import Net
from minicaffe.philox import philox
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import CUDA, each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, positive

POOL = 'type: "Pooling" pooling_param {{ pool: STOCHASTIC {} }}'


def words(key, passes, batch, width, which=0):
    """The word for each output of each sample, as kernels/stochastic_pooling.py says."""
    sample, e = np.indices((batch, width))
    counter = (e // 4, passes * batch + sample, np.zeros_like(e), np.full_like(e, which))
    with np.errstate(over="ignore"):
        drawn = philox(*(c.astype(np.uint32) for c in counter), *map(np.uint32, key))
    return np.choose(e % 4, drawn).astype(float)


def windows(size, out, kernel, stride, pad):
    """The places in a plane or volume that each output's window holds, in row-major order."""
    places = np.arange(np.prod(size)).reshape(size)
    for at in np.ndindex(*out):
        starts = [o * s - p for o, s, p in zip(at, stride, pad)]
        yield places[tuple(slice(max(s, 0), s + k) for s, k in zip(starts, kernel))].reshape(-1)


def drawn(x, out, kernel, stride, pad, word):
    """What is drawn, by cumulative sums."""
    n, c = x.shape[:2]
    word, y = word.reshape(n, c, -1), np.zeros((n, c, int(np.prod(out))))
    for a, b in itertools.product(range(n), range(c)):
        for o, inside in enumerate(windows(x.shape[2:], out, kernel, stride, pad)):
            values = x[a, b].reshape(-1)[inside]
            sums = np.maximum(values, 0).cumsum()
            if sums[-1] > 0:
                y[a, b, o] = values[np.searchsorted(sums, (word[a, b, o] + 1) / 2**32 * sums[-1])]
    return y.reshape(n, c, *out)


def average(x, out, kernel, stride, pad):
    """What is drawn on average."""
    n, c = x.shape[:2]
    y = np.zeros((n, c, int(np.prod(out))))
    for a, b in itertools.product(range(n), range(c)):
        for o, inside in enumerate(windows(x.shape[2:], out, kernel, stride, pad)):
            values = np.maximum(x[a, b].reshape(-1)[inside], 0)
            y[a, b, o] = (values**2).sum() / values.sum() if values.sum() else 0
    return y.reshape(n, c, *out)


@st.composite
def pools(draw):
    """Case fields and shape, and what the references above take."""
    axes = draw(st.integers(1, 3))
    kernel = draw(st.integers(1, 3))
    stride, pad = draw(st.integers(1, kernel)), draw(st.integers(0, kernel - 1))
    size = tuple(draw(st.integers(kernel, 5)) for _ in range(axes))
    out = tuple((n + 2 * pad - kernel) // stride + 1 for n in size)
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *size)
    # A window behind the image and its first padding is left out, if there is any padding.
    out = tuple(o - 1 if pad and (o - 1) * stride >= n + pad else o for o, n in zip(out, size))
    fields = f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: FLOOR"
    return fields, shape, (out, (kernel,) * axes, (stride,) * axes, (pad,) * axes)


@each_device
@given(pool=pools(), maker=st.sampled_from([positive, distinct]))
def test_training_draws_by_cumulative_sums(device, pool, maker):
    fields, shape, how = pool
    case = Case(POOL.format(fields), (shape,), (maker,))
    rig = Rig(case, device)
    (x,) = case.arrays()
    (y,) = rig.forward([x])  # as pass number 3
    word = words(rig.layer.random.key, 3, shape[0], int(np.prod(y.shape[1:])))
    np.testing.assert_array_equal(y, drawn(x, *how, word))
    (dy,) = rig.seed_tops()
    (dx,), _ = rig.backward()
    wanted = np.zeros_like(x)
    for at in np.argwhere(y):
        n, c = at[:2]
        wanted[n, c][x[n, c] == y[tuple(at)]] += dy[tuple(at)]  # values are distinct
    np.testing.assert_allclose(dx, wanted, rtol=1e-12, atol=1e-12)


@each_device
@given(pool=pools(), maker=st.sampled_from([positive, distinct]))
def test_testing_gives_the_average(device, pool, maker):
    fields, shape, how = pool
    case = Case(POOL.format(fields), (shape,), (maker,), phase="TEST")
    check_forward(case, device, lambda x: average(x, *how))
    check_gradient(case, device)


def test_the_average_of_training_is_what_testing_gives(cpu):
    shape, fields = (4000, 1, 2, 3), "global_pooling: true"
    x = np.broadcast_to(np.array([[0.5, 2, 0], [1, -3, 0.25]]), shape)
    (y,) = Rig(Case(POOL.format(fields), (shape,)), cpu).forward([x])
    (mean,) = Rig(Case(POOL.format(fields), (shape,), phase="TEST"), cpu).forward([x])
    assert set(np.unique(y)) == {0.25, 0.5, 1, 2}
    assert mean[0].item() == pytest.approx((0.25 + 4 + 1 + 0.0625) / 3.75)
    assert y.mean() == pytest.approx(mean[0].item(), abs=5 * y.std() / np.sqrt(y.size))


@pytest.mark.parametrize("name", ["plain", "python", *CUDA])
@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (2, 3, 6), (1, 2, 3, 4, 4), (5, 1, 1)])
def test_every_device_draws_the_same(name, shape):
    """Bit for bit, in both precisions: values are small whole numbers, drawn many times."""
    case = Case(POOL.format("kernel_size: 3 stride: 1 round_mode: CEIL"), (shape,))
    if min(shape[2:]) < 3:
        case = Case(POOL.format("kernel_size: 1"), (shape,))
    x = np.random.default_rng(3).integers(-2, 9, shape).astype(float)
    one = Rig(case, make_device("cpu", np.float32)).forward([x])[0]
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(one, Rig(case, make_device(name, dtype)).forward([x])[0])


@each_device
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_extremes(device, phase):
    """A window each: zeros, negative, NaN, infinity, one positive among negatives, and subnormal."""
    nan, inf = np.nan, np.inf
    pairs = [(0, 0), (-1, -2), (nan, 1), (1, nan), (1, inf), (-5, 3), (-1, 0), (5e-324, 0), (-inf, 2)]
    x = np.array(pairs, float).reshape(1, 1, -1)
    rig = Rig(Case(POOL.format("kernel_size: 2 stride: 2"), (x.shape,), phase=phase), device)
    (y,) = rig.forward([x])
    np.testing.assert_array_equal(y[0, 0, :7], [0, 0, nan, nan, inf, 3, 0])
    assert y[0, 0, 7] in (5e-324, 0) and y[0, 0, 8] == 2  # a square of what is subnormal is 0
    device.put(np.ones(y.shape), rig.top[0].diff)
    with np.errstate(invalid="ignore"):
        (dx,), _ = rig.backward()
    assert (dx[0, 0, :4] == 0).all() and (dx[0, 0, 10:14] == [0, 1, 0, 0]).all()


HALVES = POOL.format("kernel_size: 2 stride: 2")


def net(batch, phase="TRAIN", seed=3, kind=HALVES):
    layers = f"""
        layer {{ name: "in" type: "Input" top: "x"
                 input_param {{ shape {{ dim: {batch} dim: 3 dim: 8 dim: 8 }} }} }}
        layer {{ name: "pool" {kind} bottom: "x" top: "y" }}
    """
    return Net(text.parse(layers, NetParameter), phase=phase, seed=seed)


def test_a_sample_is_drawn_alike_however_batches_are_cut():
    x = np.random.default_rng(5).uniform(0, 1, (12, 3, 8, 8)).astype(np.float32)
    whole = net(12).forward(x=x)["y"]
    for batch in (1, 3, 4):
        cut = net(batch)
        parts = [cut.forward(x=x[i : i + batch])["y"] for i in range(0, 12, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_passes_samples_channels_and_seeds_differ():
    x = np.broadcast_to(np.random.default_rng(5).uniform(0, 1, (8, 8)), (4, 3, 8, 8))
    one = net(4)
    drawings = np.concatenate(
        [one.forward(x=x)["y"], one.forward(x=x)["y"], net(4, seed=4).forward(x=x)["y"]]
    )
    planes = drawings.reshape(-1, 16)
    assert len({plane.tobytes() for plane in planes}) == len(planes)


def test_levels_of_a_pyramid_are_drawn_apart():
    kind = 'type: "SPP" spp_param { pyramid_height: 2 pool: STOCHASTIC }'
    spp = net(3, kind=kind)
    x = np.random.default_rng(5).uniform(0, 1, (3, 3, 8, 8)).astype(np.float32)
    (y,) = spp.forward(x=x).values()
    key = spp.layers[-1].random.key
    for level, at in ((0, 0), (1, 3)):
        bins = 2**level
        word = words(key, 0, 3, 3 * bins**2, which=level)
        wanted = drawn(x, (bins, bins), (8 // bins,) * 2, (8 // bins,) * 2, (0, 0), word)
        np.testing.assert_array_equal(y[:, at : at + 3 * bins**2], wanted.reshape(3, -1))


@pytest.mark.parametrize(
    ("kind", "phase", "draws"),
    [
        (POOL.format("kernel_size: 2"), "TRAIN", True),
        (POOL.format("kernel_size: 2"), "TEST", False),
        ('type: "Pooling" pooling_param { kernel_size: 2 }', "TRAIN", False),
        ('type: "SPP" spp_param { pyramid_height: 2 }', "TRAIN", False),
    ],
)
def test_only_drawing_needs_random_numbers(kind, phase, draws):
    assert (net(1, phase, kind=kind).layers[-1].random is not None) == draws
