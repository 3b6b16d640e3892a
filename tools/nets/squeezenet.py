"""SqueezeNet v1.1 (Iandola et al. 2016), for ImageNet."""

from __future__ import annotations

from functools import partial

from . import layers as l
from .spelling import Item, spell_net

NAME = "SqueezeNet_v1.1"
MEAN = [104, 117, 123]
conv = partial(l.convolution, param=[], weight_filler=l.XAVIER)

# Outputs of a fire module's first convolution, and of each of the two behind it.
MODULES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192)}
MODULES |= {8: (64, 256), 9: (64, 256)}
POOLED = (3, 5)  # modules with a pooling behind them


def files() -> dict[str, str]:
    """File name -> prototxt."""
    what = "SqueezeNet v1.1 (Iandola et al. 2016)"
    measures = [
        l.softmax_loss("pool10"),
        l.accuracy("pool10"),
        l.accuracy("pool10", "accuracy_top5", top_k=5),
    ]
    data = [l.IMAGENET, *l.imagenet(227, (32, 25), mean_value=MEAN)]
    images = l.inputs(1, 3, 227, 227)
    images.transform_param.mean_value.extend(MEAN)
    return {
        "train_val.prototxt": spell_net(f"{what}.", NAME, [*data, *body(1000), *measures]),
        "train_val_dummy.prototxt": spell_net(
            f"{what}, on noise: to time it, and to see what memory it takes.",
            NAME,
            [l.dummy_data(32, 3, 227, 227), *body(1000), *measures],
        ),
        "deploy.prototxt": spell_net(
            f"{what} as a classifier: images less the mean, BGR, in; probabilities of the 1,000 classes out.",
            NAME,
            [images, *body(1000), l.prob("pool10")],
        ),
    }


def body(classes: int) -> list[Item]:
    """The layers between data and scores."""
    items: list[Item] = [
        "The stem, 227 x 227 to 56 x 56.",
        conv("conv1", "data", 64, 3, stride=2),
        l.relu("relu_conv1", "conv1"),
        l.pooling("pool1", "conv1", "MAX", 3, 2),
    ]
    bottom = "pool1"
    for number, (squeezed, expanded) in MODULES.items():
        items += fire(f"fire{number}", bottom, squeezed, expanded)
        bottom = f"fire{number}/concat"
        if number in POOLED:
            items.append(l.pooling(f"pool{number}", bottom, "MAX", 3, 2))
            bottom = f"pool{number}"
    average = l.layer("Pooling", "pool10", "conv10", "pool10", pooling_param={"pool": "AVE"})
    average.pooling_param.global_pooling = True
    return [
        *items,
        "The classifier: a map for each class, and its mean.",
        l.dropout("drop9", bottom, 0.5),
        l.convolution("conv10", bottom, classes, 1, param=[], weight_filler=l.gaussian(0.01)),
        l.relu("relu_conv10", "conv10"),
        average,
    ]


def fire(name: str, bottom: str, squeezed: int, expanded: int) -> list[Item]:
    """Few outputs of 1 x 1, and of these as many of 1 x 1 as of 3 x 3."""
    few, one, three = (f"{name}/{part}" for part in ("squeeze1x1", "expand1x1", "expand3x3"))
    return [
        f"{name}: {squeezed} outputs, then {expanded} + {expanded}",
        conv(few, bottom, squeezed, 1),
        l.relu(f"{name}/relu_squeeze1x1", few),
        conv(one, few, expanded, 1),
        l.relu(f"{name}/relu_expand1x1", one),
        conv(three, few, expanded, 3, pad=1),
        l.relu(f"{name}/relu_expand3x3", three),
        l.layer("Concat", f"{name}/concat", [one, three], f"{name}/concat"),
    ]
