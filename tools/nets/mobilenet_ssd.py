"""SSD on MobileNet v1 for the 20 classes of Pascal VOC, in the layout of the weights that are published."""

from __future__ import annotations

from collections.abc import Sequence

from minicaffe.proto.schema import LayerParameter

from . import layers as l
from .spelling import Item, spell_net
from .ssd import Source, heads

NAME = "MobileNet-SSD"
SIZE = 300
OUTPUTS = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)  # of conv1 to conv13
HALVING = (2, 4, 6, 12)  # of these the ones with stride 2
MORE = {14: (256, 512), 15: (128, 256), 16: (128, 256), 17: (64, 128)}  # few outputs, then more at half size
SOURCES = (
    Source("conv11", 60, None, (2,)),
    Source("conv13", 105, 150, (2, 3)),
    Source("conv14_2", 150, 195, (2, 3)),
    Source("conv15_2", 195, 240, (2, 3)),
    Source("conv16_2", 240, 285, (2, 3)),
    Source("conv17_2", 285, 300, (2, 3)),
)
FOUND = {"nms_param": {"nms_threshold": 0.45, "top_k": 100}, "keep_top_k": 100, "confidence_threshold": 0.25}


def files() -> dict[str, str]:
    """File name -> prototxt."""
    what = "MobileNet v1 and SSD: images of 300 x 300, BGR, less 127.5 and times 1 / 127.5, in;\n"
    what += "rows of image, class, score and box out."
    return {
        "deploy.prototxt": spell_net(
            f"{what}\nBatchNorm and Scale are folded into the convolutions.", NAME, net(folded=True)
        ),
        "deploy_bn.prototxt": spell_net(what, NAME, net(folded=False)),
    }


def net(
    *,
    folded: bool,
    size: int = SIZE,
    classes: int = 21,
    outputs: Sequence[int] = OUTPUTS,
    sources: Sequence[Source] = SOURCES,
    more: dict[int, tuple[int, int]] | None = None,
    first: int = 32,
) -> list[Item]:
    """All layers; other sizes than those published make nets to test with."""
    image = l.inputs(1, 3, size, size)
    image.transform_param.mean_value.append(127.5)
    image.transform_param.scale = 0.007843
    items: list[Item] = [
        image,
        f"The first convolution, {size} x {size} to half of that.",
        *block("conv0", "data", first, 3, folded, stride=2),
    ]
    bottom, inputs = "conv0", first
    for i, count in enumerate(outputs, 1):
        stride = 2 if i in HALVING else None
        items.append(f"conv{i}: every channel by itself, then {inputs} to {count} channels")
        items += block(f"conv{i}/dw", bottom, inputs, 3, folded, stride=stride, group=inputs)
        items += block(f"conv{i}", f"conv{i}/dw", count, 1, folded)
        bottom, inputs = f"conv{i}", count
    for i, (few, many) in (MORE if more is None else more).items():
        items.append(f"conv{i}: half the size")
        items += block(f"conv{i}_1", bottom, few, 1, folded)
        items += block(f"conv{i}_2", f"conv{i}_1", many, 3, folded, stride=2)
        bottom = f"conv{i}_2"
    return [*items, *heads(sources, classes, 1, **FOUND)]


def block(name: str, bottom: str, count: int, kernel: int, folded: bool, **conf) -> list[LayerParameter]:
    """A convolution with BatchNorm and Scale, or a bias in their place, and a ReLU."""
    stride = conf.pop("stride", None)
    bias = {"bias_filler": l.constant(0)} if folded else {"bias_term": False}
    layers = [
        l.convolution(
            name, bottom, count, kernel, param=[], pad=kernel // 2 or None, stride=stride,
            weight_filler={"type": "msra"}, **bias, **conf,
        )
    ]  # fmt: skip
    if not folded:
        layers += [
            l.layer("BatchNorm", f"{name}/bn", name, name, batch_norm_param={"use_global_stats": True}),
            l.layer("Scale", f"{name}/scale", name, name, scale_param={"bias_term": True}),
        ]
    return [*layers, l.relu(f"{name}/relu", name)]
