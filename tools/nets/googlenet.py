"""GoogLeNet (Szegedy et al. 2014), for ImageNet and for MNIST."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from . import layers as l
from .spelling import Item, spell_net

conv = partial(l.convolution, param=l.DECAY_WEIGHTS, weight_filler=l.XAVIER, bias_filler=l.constant(0.2))
full = partial(l.inner_product, param=l.DECAY_WEIGHTS, weight_filler=l.XAVIER)


class Module(NamedTuple):
    """Outputs of the convolutions of an inception module: table 1 of the paper."""

    n1: int  # 1 x 1
    reduce3: int  # 1 x 1 before 3 x 3
    n3: int
    reduce5: int  # 1 x 1 before 5 x 5
    n5: int
    pool_proj: int  # 1 x 1 behind the pooling


MODULES = {
    "3a": Module(64, 96, 128, 16, 32, 32),
    "3b": Module(128, 128, 192, 32, 96, 64),
    "4a": Module(192, 96, 208, 16, 48, 64),
    "4b": Module(160, 112, 224, 24, 64, 64),
    "4c": Module(128, 128, 256, 24, 64, 64),
    "4d": Module(112, 144, 288, 32, 64, 64),
    "4e": Module(256, 160, 320, 32, 128, 128),
    "5a": Module(256, 160, 320, 32, 128, 128),
    "5b": Module(384, 192, 384, 48, 128, 128),
}
NAME = "GoogleNet"  # so spelled in the published files
DIGITS_MEAN = "mnist_256.binaryproto is the mean of the training images: README.md has the command."
MNIST_MEAN = 33  # of all pixels of the training images, from 0 to 255


def files() -> dict[str, str]:
    """File name -> prototxt."""
    data = [l.IMAGENET, *l.imagenet(224, (32, 50), mean_value=[104, 117, 123])]
    dummy: list[Item] = [l.dummy_data(32, 3, 224, 224)]
    resized = {"mean_value": [MNIST_MEAN], "resize": {"height": 224, "width": 224}}
    large = [
        "28 x 28 images, resized to what the net was made for.",
        *l.mnist_split((32, 50), resized, shuffle=True),
    ]
    small: list[Item] = [*l.mnist_split((32, 100), {"mean_value": [MNIST_MEAN]}, shuffle=True)]
    what = "GoogLeNet (Szegedy et al. 2014)"
    return {
        "train_val.prototxt": spell_net(
            f"{what} with its two auxiliary classifiers.", NAME, [*data, *stem(), *trained(1000)]
        ),
        "train_val_dummy.prototxt": spell_net(
            f"{what}, on noise: to time it, and to see what memory it takes.",
            NAME,
            [*dummy, *stem(), *trained(1000)],
        ),
        "deploy.prototxt": spell_net(
            f"{what} as a classifier: images less the mean, BGR, in; probabilities of the 1,000 classes out.",
            NAME,
            [l.inputs(10, 3, 224, 224), *stem(), *body(), *top(1000), l.prob("loss3/classifier")],
        ),
        "mnist_train_val.prototxt": spell_net(
            f"{what} for MNIST: images of 224 x 224, both auxiliary classifiers, 10 classes.",
            "GoogleNet-MNIST",
            [*large, *stem(), *trained(10)],
        ),
        "mnist_28_train_val.prototxt": spell_net(
            f"The modules and auxiliary classifiers of {what} behind a stem for 28 x 28 images.",
            "GoogleNet-MNIST-28",
            [*small, *small_stem(), *trained(10, "conv2/norm2", last=3)],
        ),
        "digits_train_val.prototxt": spell_net(
            f"{what} as NVIDIA's DIGITS trained it on MNIST.\n{DIGITS_MEAN}",
            "GoogleNet-DIGITS",
            [*digits_data(), *stem(), *trained(10)],
        ),
        "digits_deploy.prototxt": spell_net(
            f"{what} as DIGITS trained it, as a classifier: colour images of 224 x 224 less the mean in.",
            "GoogleNet-DIGITS",
            [l.inputs(1, 3, 224, 224), *stem(), *body(), *top(10), l.prob("loss3/classifier")],
        ),
        "digits_all_in_one.prototxt": spell_net(
            f"{what} in the form that DIGITS keeps: one file, stages train, val and deploy,\n"
            f"and the data and the number of classes are filled in.\n{DIGITS_MEAN}",
            "GoogleNet-DIGITS",
            all_in_one(),
        ),
    }


def digits_data() -> list[Item]:
    """Grey images in DIGITS' size, cropped, mirrored in training, and grey as the three colours."""
    shared = {"crop_size": 224, "mean_file": "mnist_256.binaryproto", "resize": {"height": 256, "width": 256}}
    transforms = [{**shared, "mirror": True}, shared]
    return [
        *l.mnist_split((32, 16), transforms, ("grey", "label")),
        "DIGITS makes a colour image of a grey one.",
        l.layer("Tile", "colour", "grey", "data", tile_param={"axis": 1, "tiles": 3}),
    ]


def all_in_one() -> list[Item]:
    """The same, with stages in the place of phases, and open where DIGITS fills in."""
    names = iter(("train-data", "val-data"))
    items: list[Item] = [*digits_data(), *stem(), *trained(10), l.prob("loss3/classifier")]
    for item in items:
        if isinstance(item, str):
            continue
        if item.type == "Data":
            item.name = next(names)
            item.ClearField("data_param")
        if item.name.endswith("/classifier"):
            item.inner_product_param.ClearField("num_output")
        item.ClearField("include")
        if item.type in ("Data", "Accuracy", "Softmax"):
            stage = {"train-data": "train", "prob": "deploy"}.get(item.name, "val")
            item.include.add(stage=[stage])
        elif item.type in ("Tile", "SoftmaxWithLoss") or item.name.startswith(("loss1/", "loss2/")):
            item.exclude.add(stage=["deploy"])
    return items


def stem() -> list[Item]:
    """224 x 224 to 28 x 28."""
    return [
        "The stem: 224 x 224 to 28 x 28.",
        conv("conv1/7x7_s2", "data", 64, 7, pad=3, stride=2),
        l.relu("conv1/relu_7x7", "conv1/7x7_s2"),
        l.pooling("pool1/3x3_s2", "conv1/7x7_s2", "MAX", 3, 2),
        l.lrn("pool1/norm1", "pool1/3x3_s2"),
        *_reduced("conv2", "pool1/norm1", 64, 192, 3),
        l.lrn("conv2/norm2", "conv2/3x3"),
        l.pooling("pool2/3x3_s2", "conv2/norm2", "MAX", 3, 2),
    ]


def small_stem() -> list[Item]:
    """28 x 28 to 14 x 14."""
    return [
        "The stem: 28 x 28 to 14 x 14, where GoogLeNet's takes 224 x 224 to 28 x 28.",
        conv("conv1/3x3_s1", "data", 64, 3, pad=1),
        l.relu("conv1/relu_3x3", "conv1/3x3_s1"),
        l.pooling("pool1/3x3_s2", "conv1/3x3_s1", "MAX", 3, 2),
        l.lrn("pool1/norm1", "pool1/3x3_s2"),
        *_reduced("conv2", "pool1/norm1", 64, 192, 3),
        l.lrn("conv2/norm2", "conv2/3x3"),
    ]


def trained(classes: int, bottom: str = "pool2/3x3_s2", *, last: int = 7) -> list[Item]:
    """Everything behind the stem, with three classifiers; `last` is the size of the last feature maps."""
    heads = {
        "4a": auxiliary("loss1", "inception_4a/output", classes),
        "4d": auxiliary("loss2", "inception_4d/output", classes),
    }
    scores = "loss3/classifier"
    return [*body(bottom, heads), *top(classes, last), *_measured("loss3", scores, "loss3/loss3", 1)]


def body(bottom: str = "pool2/3x3_s2", heads: dict[str, list[Item]] | None = None) -> list[Item]:
    """The nine modules; behind some of them a head."""
    items: list[Item] = []
    for name, module in MODULES.items():
        if name in ("4a", "5a"):  # half the size before stages 4 and 5
            pool = f"pool{int(name[0]) - 1}/3x3_s2"
            items.append(l.pooling(pool, bottom, "MAX", 3, 2))
            bottom = pool
        items += inception(f"inception_{name}", bottom, module)
        bottom = f"inception_{name}/output"
        items += (heads or {}).get(name, [])
    return items


def inception(name: str, bottom: str, module: Module) -> list[Item]:
    """Convolutions of 1 x 1, 3 x 3 and 5 x 5 and a pooling side by side; 1 x 1 makes them cheap."""
    outputs = module.n1 + module.n3 + module.n5 + module.pool_proj
    return [
        f"{name}: {module.n1} + {module.n3} + {module.n5} + {module.pool_proj} = {outputs} outputs",
        *_conv_relu(name, "1x1", bottom, module.n1, 1),
        *_reduced(name, bottom, module.reduce3, module.n3, 3),
        *_reduced(name, bottom, module.reduce5, module.n5, 5),
        l.pooling(f"{name}/pool", bottom, "MAX", 3, 1, pad=1),
        *_conv_relu(name, "pool_proj", f"{name}/pool", module.pool_proj, 1),
        l.layer(
            "Concat",
            f"{name}/output",
            [f"{name}/{branch}" for branch in ("1x1", "3x3", "5x5", "pool_proj")],
            f"{name}/output",
        ),
    ]


def auxiliary(name: str, bottom: str, classes: int) -> list[Item]:
    """A classifier in the middle of the net: it brings gradients to the layers below."""
    pool, reduced, hidden, scores = (f"{name}/{part}" for part in ("ave_pool", "conv", "fc", "classifier"))
    return [
        f"{name}: an auxiliary classifier, which counts 0.3",
        l.pooling(pool, bottom, "AVE", 5, 3),
        conv(reduced, pool, 128, 1),
        l.relu(f"{name}/relu_conv", reduced),
        full(hidden, reduced, 1024, bias_filler=l.constant(0.2)),
        l.relu(f"{name}/relu_fc", hidden),
        l.dropout(f"{name}/drop_fc", hidden, 0.7),
        full(scores, hidden, classes, bias_filler=l.constant(0)),
        *_measured(name, scores, f"{name}/loss", 0.3),
    ]


def top(classes: int, size: int = 7) -> list[Item]:
    """The mean of every feature map, and one inner product."""
    pool = f"pool5/{size}x{size}_s1"
    return [
        "The classifier.",
        l.pooling(pool, "inception_5b/output", "AVE", size, 1),
        l.dropout(f"pool5/drop_{size}x{size}_s1", pool, 0.4),
        full("loss3/classifier", pool, classes, bias_filler=l.constant(0)),
    ]


def _measured(head: str, scores: str, loss: str, weight: float) -> list[Item]:
    """Loss and accuracies of a head.  The loss layers' names differ from their tops', as published."""
    return [
        l.layer("SoftmaxWithLoss", loss, [scores, "label"], f"{head}/loss{head[-1]}", loss_weight=[weight]),
        l.accuracy(scores, f"{head}/top-1"),
        l.accuracy(scores, f"{head}/top-5", top_k=5),
    ]


def _reduced(name: str, bottom: str, reduce: int, outputs: int, size: int) -> list[Item]:
    """A convolution of size x size behind one of 1 x 1."""
    kind = f"{size}x{size}"
    return [
        *_conv_relu(name, f"{kind}_reduce", bottom, reduce, 1),
        *_conv_relu(name, kind, f"{name}/{kind}_reduce", outputs, size),
    ]


def _conv_relu(name: str, part: str, bottom: str, outputs: int, size: int) -> list[Item]:
    pad = size // 2 or None
    return [
        conv(f"{name}/{part}", bottom, outputs, size, pad=pad),
        l.relu(f"{name}/relu_{part}", f"{name}/{part}"),
    ]
