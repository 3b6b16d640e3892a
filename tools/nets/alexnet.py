"""AlexNet and CaffeNet: equal but for the order of pooling and normalization, and for biases."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from minicaffe.proto.schema import LayerParameter

from . import layers as l
from .spelling import Item, spell_net


class Variant(NamedTuple):
    name: str
    what: str
    pool_first: bool  # then LRN; else the other way round
    bias: float  # of the layers that start with one


ALEXNET = Variant("AlexNet", "AlexNet (Krizhevsky, Sutskever & Hinton 2012)", False, 0.1)
CAFFENET = Variant("CaffeNet", "CaffeNet: AlexNet with pooling before normalization", True, 1)

SHAPE = (3, 227, 227)
MEAN = "data/ilsvrc12/imagenet_mean.binaryproto"


def files(variant: Variant) -> dict[str, str]:
    """File name -> prototxt."""
    data = [
        l.IMAGENET,
        *l.imagenet(SHAPE[1], (256, 50), mean_file=MEAN),
    ]
    dummy: list[Item] = [l.dummy_data(32, *SHAPE)]
    deploy = [l.inputs(10, *SHAPE), *body(variant), l.prob("fc8")]
    what = variant.what
    return {
        "train_val.prototxt": spell_net(f"{what}.", variant.name, [*data, *trained(variant)]),
        "train_val_dummy.prototxt": spell_net(
            f"{what}, on noise: to time it, and to see what memory it takes.",
            variant.name,
            [*dummy, *trained(variant)],
        ),
        "deploy.prototxt": spell_net(
            f"{what} as a classifier: images less the mean, BGR, in; probabilities of the 1,000 classes out.",
            variant.name,
            deploy,
        ),
    }


def trained(variant: Variant, classes: int = 1000) -> list[Item]:
    return [*body(variant, classes), l.accuracy("fc8"), l.softmax_loss("fc8")]


def body(variant: Variant, classes: int = 1000) -> list[Item]:
    """From data to fc8."""
    conv = partial(l.convolution, param=l.DECAY_WEIGHTS, weight_filler=l.gaussian(0.01))
    full = partial(l.inner_product, param=l.DECAY_WEIGHTS)
    zero, bias = l.constant(0), l.constant(variant.bias)
    return [
        "Five convolutions.  Those with two groups were spread over two GPUs.",
        conv("conv1", "data", 96, 11, stride=4, bias_filler=zero),
        l.relu("relu1", "conv1"),
        *_pool_and_norm(variant, 1),
        conv("conv2", _after(variant, 1), 256, 5, pad=2, group=2, bias_filler=bias),
        l.relu("relu2", "conv2"),
        *_pool_and_norm(variant, 2),
        conv("conv3", _after(variant, 2), 384, 3, pad=1, bias_filler=zero),
        l.relu("relu3", "conv3"),
        conv("conv4", "conv3", 384, 3, pad=1, group=2, bias_filler=bias),
        l.relu("relu4", "conv4"),
        conv("conv5", "conv4", 256, 3, pad=1, group=2, bias_filler=bias),
        l.relu("relu5", "conv5"),
        l.pooling("pool5", "conv5", "MAX", 3, 2),
        "Three inner products: 94 % of the weights.",
        full("fc6", "pool5", 4096, weight_filler=l.gaussian(0.005), bias_filler=bias),
        l.relu("relu6", "fc6"),
        l.dropout("drop6", "fc6", 0.5),
        full("fc7", "fc6", 4096, weight_filler=l.gaussian(0.005), bias_filler=bias),
        l.relu("relu7", "fc7"),
        l.dropout("drop7", "fc7", 0.5),
        full("fc8", "fc7", classes, weight_filler=l.gaussian(0.01), bias_filler=zero),
    ]


def _pool_and_norm(variant: Variant, i: int) -> list[LayerParameter]:
    pool, norm, conv = f"pool{i}", f"norm{i}", f"conv{i}"
    if variant.pool_first:
        return [l.pooling(pool, conv, "MAX", 3, 2), l.lrn(norm, pool)]
    return [l.lrn(norm, conv), l.pooling(pool, norm, "MAX", 3, 2)]


def _after(variant: Variant, i: int) -> str:
    return f"norm{i}" if variant.pool_first else f"pool{i}"
