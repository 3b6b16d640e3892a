"""The two nets of Caffe's CIFAR-10 example (after A. Krizhevsky's cuda-convnet)."""

from __future__ import annotations

from . import layers as l
from .spelling import Item, spell_net

QUICK, FULL = "CIFAR10_quick", "CIFAR10_full"
SOURCES = ("examples/cifar10/cifar10_train_lmdb", "examples/cifar10/cifar10_test_lmdb")
MEAN = "examples/cifar10/mean.binaryproto"


def quick_files() -> dict[str, str]:
    """File name -> prototxt."""
    what = "CIFAR-10 quick: three convolutions, max then average pooling, two inner products"
    return _files(what, QUICK, quick(), "ip2")


def full_files() -> dict[str, str]:
    what = "CIFAR-10 full: three convolutions with normalization within channels, one inner product"
    return _files(what, FULL, full(), "ip1")


def _files(what: str, name: str, body: list[Item], scores: str) -> dict[str, str]:
    trained = [*data(), *body, l.accuracy(scores), l.softmax_loss(scores)]
    return {
        "train_test.prototxt": spell_net(f"{what}.", name, trained),
        "deploy.prototxt": spell_net(
            f"{what}; images less the mean, BGR, in, probabilities of the ten classes out.",
            f"{name}_test",
            [l.inputs(1, 3, 32, 32), *body, l.prob(scores)],
        ),
    }


def data() -> list[Item]:
    return [
        "Databases and mean made by Caffe's examples/cifar10/create_cifar10.sh.",
        *l.database("cifar", SOURCES, (100, 100), transforms={"mean_file": MEAN}, backend="LMDB"),
    ]


def quick() -> list[Item]:
    """From data to ip2."""
    return [
        *_convolutions(norms=False),
        l.inner_product("ip1", "pool3", 64, weight_filler=l.gaussian(0.1), bias_filler=l.constant()),
        l.inner_product("ip2", "ip1", 10, weight_filler=l.gaussian(0.1), bias_filler=l.constant()),
    ]


def full() -> list[Item]:
    """From data to ip1."""
    return [
        *_convolutions(norms=True),
        l.inner_product(
            "ip1", "pool3", 10,
            param=[{"lr_mult": 1, "decay_mult": 250}, {"lr_mult": 2, "decay_mult": 0}],
            weight_filler=l.gaussian(0.01), bias_filler=l.constant(),
        ),
    ]  # fmt: skip


def _convolutions(*, norms: bool) -> list[Item]:
    """From data to pool3, with LRN behind the first two poolings or without."""

    def conv(name: str, bottom: str, outputs: int, std: float, param=l.BIAS_TWICE):
        fillers = {"weight_filler": l.gaussian(std), "bias_filler": l.constant()}
        return l.convolution(name, bottom, outputs, 5, pad=2, stride=1, param=param, **fillers)

    def norm(i: int) -> list[Item]:
        return [l.lrn(f"norm{i}", f"pool{i}", 3, 5e-5, norm_region="WITHIN_CHANNEL")] if norms else []

    below = "norm" if norms else "pool"
    return [
        "32 x 32 to 4 x 4",
        conv("conv1", "data", 32, 0.0001),
        l.pooling("pool1", "conv1", "MAX", 3, 2),
        l.relu("relu1", "pool1"),
        *norm(1),
        conv("conv2", f"{below}1", 32, 0.01),
        l.relu("relu2", "conv2"),
        l.pooling("pool2", "conv2", "AVE", 3, 2),
        *norm(2),
        # the published full net says nothing of the multipliers of conv3, which is then 1 for the bias too
        conv("conv3", f"{below}2", 64, 0.01, param=[] if norms else l.BIAS_TWICE),
        l.relu("relu3", "conv3"),
        l.pooling("pool3", "conv3", "AVE", 3, 2),
    ]
