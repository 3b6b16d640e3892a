"""Elements that layers must move."""

from __future__ import annotations

import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import make_device
from ..support.laws import Case, Rig
from ..test_layers_catalogue import CASES

X = 24  # elements of a bottom (2, 3, 4)
SHAPE = (2, 3, 4)


def moved(rig: Rig) -> tuple[int | None, int | None]:
    """Elements of forward and of backward, where it does all it can."""
    return (
        rig.layer.forward_traffic(rig.bottom, rig.top),
        rig.layer.backward_traffic(rig.bottom, rig.top, rig.propagate, rig.learned),
    )


def rig(layer: str, *shapes: tuple[int, ...], tops: int = 1, in_place: bool = False, **options) -> Rig:
    case = Case(layer, shapes or (SHAPE,), tops=tops, **options)
    return Rig(case, make_device("cpu"), in_place=in_place)


@pytest.mark.parametrize(
    "layer, forward, backward",
    [
        ('type: "ReLU"', 2 * X, 3 * X),  # backward: y, dy, dx
        ('type: "Sigmoid"', 2 * X, 3 * X),
        ('type: "Dropout"', 2 * X, 2 * X),  # draws its mask again
        ('type: "ELU" elu_param { alpha: -1 }', 2 * X, 4 * X),  # reads x too
        ('type: "PReLU"', 2 * X + 3, 3 * X + 3 + 2 * 3),
        ('type: "Scale" scale_param { bias_term: true }', 2 * X + 6, 3 * X + 3 + 2 * 6),
        ('type: "Bias"', 2 * X + 3, 2 * X + 2 * 3),
        ('type: "InnerProduct" inner_product_param { num_output: 5 }', X + 10 + 65, 10 + 2 * X + 60 + 130),
        ('type: "Tile" tile_param { tiles: 2 }', 3 * X, 3 * X),
        ('type: "Flatten"', 0, 0),
        ('type: "Reshape" reshape_param { shape { dim: -1 } }', 0, 0),
        ('type: "Concat"', 0, 0),
        ('type: "Slice"', 0, 0),
        ('type: "Tile" tile_param { tiles: 1 }', 0, 0),
        ('type: "Split"', 0, 0),
    ],
)
def test_one_bottom(layer, forward, backward):
    assert moved(rig(layer)) == (forward, backward)


def test_several_blobs():
    assert moved(rig('type: "Split"', tops=3)) == (0, 4 * X)
    assert moved(rig('type: "Concat"', SHAPE, SHAPE)) == (4 * X, 4 * X)
    assert moved(rig('type: "Slice"', (2, 4, 3), tops=2)) == (2 * X, 2 * X)
    assert moved(rig('type: "Eltwise"', SHAPE, SHAPE)) == (3 * X, 3 * X)
    scaled = rig('type: "Scale" scale_param { axis: 0 bias_term: true }', SHAPE, (2,))
    assert moved(scaled) == (2 * X + 4, X + (X + 2) + (X + 2) + 2 * 2)  # the parameter is the bias
    product = rig('type: "Eltwise" eltwise_param { operation: PROD }', SHAPE, SHAPE)
    assert moved(product) == (3 * X, 5 * X)


def test_in_place_counts_reading_and_writing():
    assert moved(rig('type: "ReLU"', in_place=True)) == (2 * X, 3 * X)
    assert moved(rig('type: "Dropout"', in_place=True)) == (2 * X, 2 * X)
    assert moved(rig('type: "Dropout"', phase="TEST")) == (2 * X, 2 * X)
    assert moved(rig('type: "Dropout"', phase="TEST", in_place=True)) == (0, 0)


def test_what_is_not_read_does_not_count():
    crop = rig('type: "Crop" crop_param { axis: 1 }', (2, 5, 6), SHAPE)
    assert moved(crop) == (2 * X, X + 60 + X)  # backward writes both bottoms' diffs
    embed = 'type: "Embed" embed_param { num_output: 2 input_dim: 100 bias_term: false }'
    few = rig(embed, (6,), makers=(lambda shape, rng: rng.integers(0, 9, shape) * 1.0,))
    assert moved(few) == (6 + 12 + 12, 12 + 2 * 12)
    pool = rig('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', (1, 1, 4, 4), tops=2)
    assert moved(pool) == (16 + 8, 4 + 16)  # the diff of the places is nobody's
    reindex = rig('type: "BatchReindex"', (9, 4), (3,))
    assert moved(reindex) == (12 + 3 + 12, 12 + 36)
    assert moved(rig('type: "Silence"', tops=0)) == (0, X)


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_a_gradient_by_the_weights_reads_x_and_one_by_x_the_weights(kind):
    conv = rig(f'type: "{kind}" convolution_param {{ num_output: 2 kernel_size: 1 }}', (1, 3, 4, 4))
    x, y, w = 48, 32, 6
    sums = {
        (True, True, True): y + x + w + x + 2 * (w + 2),
        (True, False, False): y + w + x,
        (False, True, False): y + x + 2 * w,
        (False, False, True): y + 2 * 2,
        (False, False, False): 0,
    }
    for (data, *params), expected in sums.items():
        assert conv.layer.backward_traffic(conv.bottom, conv.top, [data], params) == expected


NET = """
layer { name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "y" bottom: "label" top: "accuracy" }
"""


def test_a_net():
    """Splits that the net inserted move nothing forward, and sum backward."""
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", device=CpuDevice(), keep="needed")
    rows = {
        layer.name: (
            layer.forward_traffic(bottom, top),
            layer.backward_traffic(bottom, top, gradient.propagate, gradient.params) if gradient.runs else 0,
        )
        for layer, bottom, top, gradient in zip(net.layers, net.bottoms, net.tops, net.gradients)
    }
    assert rows.pop("in") == (0, 0)
    assert rows.pop("label_in_1_split") == (0, 0)
    assert rows.pop("ip") == (6 + 16 + 8, 8 + 6 + 2 * 16)
    assert rows.pop("relu") == (16, 24)
    assert rows.pop("y_relu_0_split") == (0, 24)
    assert rows.pop("loss") == (8 + 2 + 1, 1 + 8)
    assert rows.pop("accuracy") == (8 + 2 + 1, 0)
    assert not rows


@pytest.mark.parametrize("case", CASES)
def test_every_case_of_every_layer(case):
    """Elements, or for user code None; in a pass that is run something moves unless all is shared."""
    whole = Rig(case, make_device("cpu"))
    counts = moved(whole)
    if whole.layer.type == "Python":
        assert counts == (None, None)
        return
    shared = all(y.data_of is not y for y in whole.top)
    assert (counts[0] == 0) == shared
    assert counts[1] >= 0
