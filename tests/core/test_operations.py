"""Operations of layers against loops that compute the same numbers and count what they do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.layers import resolve

from ..support.devices import make_device
from ..support.laws import Case, Rig
from ..test_layers_catalogue import CASES

Place = tuple[int, ...]
Taps = Iterator[tuple[Place, Place, Place]]  # where in the image, in the other side, in the weights


class Counted:
    """Sums of products, counted."""

    def __init__(self) -> None:
        self.count = 0

    def sums(self, out: np.ndarray, terms) -> np.ndarray:
        """out[place] += a * b for every (place, a, b)."""
        for place, a, b in terms:
            out[place] += a * b
            self.count += 1
        return out


def conv_taps(layer) -> Taps:
    """All products of a convolution over two axes, on a padded image."""
    g = layer.g
    for n, group, o, i in itertools.product(range(g.n), range(g.groups), range(g.m), range(g.c)):
        for y, x, ky, kx in itertools.product(*map(range, (g.oh, g.ow, g.kh, g.kw))):
            image = (n, group * g.c + i, y * g.sh + ky * g.lh, x * g.sw + kx * g.lw)
            yield image, (n, group * g.m + o, y, x), (group * g.m + o, i, ky, kx)


def inner_taps(layer) -> Taps:
    """All products of a matrix product."""
    for m, n, k in itertools.product(range(layer.m), range(layer.n), range(layer.k_size)):
        yield (m, k), (m, n), (k, n) if layer.transpose else (n, k)


def padded(image: np.ndarray, layer) -> np.ndarray:
    """With zeros around it, behind it as many as any window can reach."""
    ph, pw = layer.window.pad
    return np.pad(image, [(0, 0), (0, 0), (ph, ph + 9), (pw, pw + 9)])


def inside(image: np.ndarray, shape: Place, layer) -> np.ndarray:
    """A padded image without its padding."""
    ph, pw = layer.window.pad
    return image[:, :, ph : ph + shape[2], pw : pw + shape[3]]


def check_linear(case: Case) -> None:
    """Forward and each gradient of a layer with weights: the loops give its numbers, and count as the
    layer does."""
    rig = Rig(case, make_device("cpu"))
    layer = rig.layer
    (x,) = case.arrays()
    (y,), (dy,) = rig.forward([x]), rig.seed_tops()
    (dx,), gradients = rig.backward()
    weights, *bias = (rig.device.get(blob.data) for blob in layer.params)
    if layer.type == "InnerProduct":
        x, y, dx, dy = (a.reshape(layer.m, -1) for a in (x, y, dx, dy))
        taps, source, slope = list(inner_taps(layer)), x, dy
    elif layer.type == "Convolution":
        taps, source, slope = list(conv_taps(layer)), padded(x, layer), dy
    else:  # the top is the image
        taps = [(bottom, top, w) for top, bottom, w in conv_taps(layer)]
        source, slope = x, padded(dy, layer)

    out, back, dw, db = (Counted() for _ in range(4))
    got = out.sums(np.zeros(slope.shape), ((t, source[b], weights[w]) for b, t, w in taps))
    got = got if slope is dy else inside(got, y.shape, layer)
    shift = bias[0].reshape(-1, *(1,) * (y.ndim - 2)) if bias else 0
    np.testing.assert_allclose(got + shift, y, atol=1e-9)
    got = back.sums(np.zeros(source.shape), ((b, slope[t], weights[w]) for b, t, w in taps))
    np.testing.assert_allclose(got if source is x else inside(got, x.shape, layer), dx, atol=1e-9)
    got = dw.sums(np.zeros(weights.shape), ((w, slope[t], source[b]) for b, t, w in taps))
    np.testing.assert_allclose(got, gradients[0], atol=1e-9)
    if bias:
        channels = (place[1:2] for place in np.ndindex(dy.shape))
        got = db.sums(np.zeros(bias[0].shape), zip(channels, dy.ravel(), itertools.repeat(1)))
        np.testing.assert_allclose(got, gradients[1], atol=1e-9)

    assert layer.forward_operations(rig.bottom, rig.top) == out.count
    for flags in itertools.product([False, True], repeat=1 + len(layer.params)):
        expected = sum(part.count for part, wanted in zip((back, dw, db), flags) if wanted)
        assert layer.backward_operations(rig.bottom, rig.top, flags[:1], flags[1:]) == expected


@st.composite
def convolutions(draw) -> Case:
    group = draw(st.integers(1, 2))
    few = st.integers(1, 2)
    fields = {
        "num_output": group * draw(few),
        "group": group,
        "kernel_h": draw(st.integers(1, 3)),
        "kernel_w": draw(few),
        "stride": draw(few),
        "pad": draw(st.integers(0, 1)),
        "dilation": draw(few),
        "bias_term": str(draw(st.booleans())).lower(),
    }
    kind = draw(st.sampled_from(["Convolution", "Deconvolution"]))
    shape = (draw(few), group * draw(few), draw(st.integers(5, 6)), draw(st.integers(3, 5)))
    body = " ".join(f"{name}: {value}" for name, value in fields.items())
    return Case(f'type: "{kind}" convolution_param {{ {body} }}', (shape,))


@settings(max_examples=25, deadline=None)
@given(convolutions())
def test_convolutions(case):
    check_linear(case)


IP = 'type: "InnerProduct" inner_product_param {{ {} }}'


@pytest.mark.parametrize(
    "case",
    [
        Case(IP.format("num_output: 3"), ((2, 5),)),
        Case(IP.format("num_output: 3 bias_term: false"), ((2, 3, 2),)),
        Case(IP.format("num_output: 2 axis: 2 transpose: true"), ((2, 3, 4),)),
    ],
)
def test_inner_products(case):
    check_linear(case)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda layer, bottom, top: [top[0].count * layer.channels * 4],  # the groups are forgotten
        lambda layer, bottom, top: [bottom[0].count * 8],  # the stride is
        lambda layer, bottom, top: [2 * top[0].count * 8],  # operations instead
    ],
)
def test_a_wrong_count_is_caught(wrong, monkeypatch):
    monkeypatch.setattr(resolve("Convolution"), "_products", wrong)
    conv = "num_output: 4 group: 2 kernel_size: 2 stride: 2"
    with pytest.raises(AssertionError, match="=="):
        check_linear(Case(f'type: "Convolution" convolution_param {{ {conv} }}', ((1, 4, 4, 4),)))


POOL = 'type: "Pooling" pooling_param {{ pool: AVE {} }}'


@pytest.mark.parametrize(
    "fields, shape",
    [
        ("kernel_size: 3 stride: 2", (2, 2, 5, 7)),
        ("kernel_h: 2 kernel_w: 3 stride: 1", (1, 3, 4, 5)),
        ("kernel_size: 2 stride: 2 pad: 1", (1, 2, 4, 4)),
        ("global_pooling: true", (2, 1, 3, 4)),
    ],
)
def test_pooling_means(fields, shape):
    rig = Rig(Case(POOL.format(fields), (shape,)), make_device("cpu"))
    (x,) = rig.case.arrays()
    (y,), (dy,) = rig.forward([x]), rig.seed_tops()
    (dx,), _ = rig.backward()
    g, counted, counted_back = rig.layer.pooler.g, Counted(), Counted()
    # No window of these cases reaches beyond the padding, so that every one is divided by its whole area.
    taps = [
        ((n, c, i * g.sh + ky, j * g.sw + kx), (n, c, i, j))
        for n, c, i, j in np.ndindex(y.shape)
        for ky, kx in itertools.product(range(g.kh), range(g.kw))
    ]
    wide, area = padded(x, rig.layer), g.kh * g.kw
    sums = counted.sums(np.zeros(y.shape), ((out, wide[place], 1) for place, out in taps))
    np.testing.assert_allclose(sums / area, y, atol=1e-9)
    back = counted_back.sums(np.zeros(wide.shape), ((place, dy[out], 1 / area) for place, out in taps))
    np.testing.assert_allclose(inside(back, shape, rig.layer), dx, atol=1e-9)
    assert of_forward(rig) == counted.count
    assert of_backward(rig) == counted_back.count


def of_forward(rig: Rig) -> int | None:
    return rig.layer.forward_operations(rig.bottom, rig.top)


def of_backward(rig: Rig) -> int | None:
    return rig.layer.backward_operations(rig.bottom, rig.top, rig.propagate, rig.learned)


@pytest.mark.parametrize(
    "layer, shapes, tops, forward, backward",
    [
        ('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', [(1, 2, 4, 4)], 1, 0, 8),
        ('type: "ReLU"', [(3, 4)], 1, 0, 0),
        ('type: "ReLU" relu_param { negative_slope: 0.1 }', [(3, 4)], 1, 12, 12),
        ('type: "Split"', [(3, 4)], 3, 0, 24),
        ('type: "Concat"', [(3, 4), (3, 4)], 1, 0, 0),
        ('type: "Eltwise" eltwise_param { operation: SUM }', [(3, 4)] * 3, 1, 36, 36),
        ('type: "Eltwise" eltwise_param { operation: MAX }', [(3, 4)] * 3, 1, 0, 0),
        ('type: "Eltwise" eltwise_param { operation: PROD }', [(3, 4)] * 3, 1, 36, 72),
        ('type: "Scale" scale_param { bias_term: true }', [(3, 4)], 1, 12, 36),
        ('type: "Scale" scale_param { axis: 0 }', [(3, 4), (3, 4)], 1, 12, 24),
        ('type: "Bias" bias_param { axis: 0 }', [(3, 4), (3, 4)], 1, 12, 12),
        ('type: "Tile" tile_param { tiles: 2 }', [(3, 4)], 1, 0, 24),
        ('type: "LRN" lrn_param { local_size: 3 }', [(1, 2, 3, 3)], 1, 18 * 5, 18 * 8),
        ('type: "LRN" lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }', [(1, 2, 3, 3)], 1, 198, 252),
        ('type: "BatchNorm"', [(3, 4)], 1, 48, 72),
        ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', [(3, 4)], 1, 24, 12),
        ('type: "Power" power_param { power: 2 }', [(3, 4)], 1, 24, 48),
        ('type: "Power" power_param { scale: 2 }', [(3, 4)], 1, 24, 12),
        ('type: "Embed" embed_param { num_output: 2 input_dim: 9 }', [(3, 4)], 1, 24, 48),
    ],
)
def test_other_layers(layer, shapes, tops, forward, backward):
    rig = Rig(Case(layer, tuple(shapes), tops=tops), make_device("cpu"))
    assert of_forward(rig) == forward
    assert of_backward(rig) == backward


SEQUENCE, CONT, STATIC = (5, 3, 4), (5, 3), (3, 6)


@pytest.mark.parametrize(
    "layer, numbers, forward, backward",
    [
        # 15 rows (of 5 steps and 3 sequences) of 4 features, 2 hidden; the way back crosses 4 steps.
        ("RNN", 2, 15 * (8 + 4 + 4) + 30 * 3, 15 * (2 * 8 + 4 + 2 * 4) + 12 * 4 + 30 * (5 + 2)),
        ("LSTM", 8, 15 * (32 + 16) + 30 * 13, 15 * (2 * 32 + 16 + 8) + 12 * 16 + 30 * 20),
    ],
)
def test_recurrent_layers(layer, numbers, forward, backward):
    """numbers: that a step takes for the 2 hidden ones."""
    body = f'type: "{layer}" recurrent_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }}'
    rig = Rig(Case(body, (SEQUENCE, CONT)), make_device("cpu"))
    assert (of_forward(rig), of_backward(rig)) == (forward, backward)
    # What x_static gives is computed once for a sequence, and added to every step.
    rig = Rig(Case(body, (SEQUENCE, CONT, STATIC)), make_device("cpu"))
    assert of_forward(rig) == forward + 18 * numbers + 15 * numbers
    assert of_backward(rig) == backward + 2 * 18 * numbers + 15 * numbers


def test_a_step_of_an_lstm():
    """As LSTM beside its products, but for what only a step behind it asks for."""
    unit = Rig(Case('type: "LSTMUnit"', ((1, 3, 2), (1, 3, 8), (1, 3)), tops=2), make_device("cpu"))
    assert (of_forward(unit), of_backward(unit)) == (12 * 6, 19 * 6)


@pytest.mark.parametrize("pool, forward, backward", [("MAX", 0, 2 * 21), ("AVE", 2 * 48, 2 * 48)])
def test_a_pyramid_takes_what_its_levels_do(pool, forward, backward):
    """1, 4 and 16 windows of 16, 4 and 1 elements in each of two planes; their gradients are added."""
    layer = f'type: "SPP" spp_param {{ pyramid_height: 3 pool: {pool} }}'
    rig = Rig(Case(layer, ((1, 2, 4, 4),)), make_device("cpu"))
    assert (of_forward(rig), of_backward(rig)) == (forward, backward + 2 * 32)


@pytest.mark.parametrize("case", CASES)
def test_every_case_of_every_layer_has_counts(case):
    rig = Rig(case, make_device("cpu"))
    counts = [of_forward(rig), of_backward(rig)]
    assert counts == [None, None] if rig.layer.type == "Python" else all(count >= 0 for count in counts)
