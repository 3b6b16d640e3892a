"""ENet (Paszke et al. 2016) for the classes of Cityscapes, laid out as the weights published for Caffe."""

from __future__ import annotations

from minicaffe.proto.schema import LayerParameter

from . import layers as l
from .spelling import Item, spell_net

NAME = "ENet"
HEIGHT, WIDTH, CLASSES = 512, 1024, 19
MSRA = {"type": "msra"}
# What the middle convolution of the modules 1 to 8 is, twice over: plain, dilated, or 5 x 1 and 1 x 5.
PLAIN, SPLIT = 1, 0
DILATIONS = (PLAIN, 2, SPLIT, 4, PLAIN, 8, SPLIT, 16)


def files() -> dict[str, str]:
    """File name -> prototxt."""
    what = "ENet (Paszke et al. 2016): images of 512 x 1024, BGR, in; a map of scores of 19 classes out.\n"
    what += "BN is merged into the layers around it, as far as it can be."
    return {"deploy.prototxt": spell_net(what, NAME, net())}


def net(height: int = HEIGHT, width: int = WIDTH, classes: int = CLASSES, *, bn: str = "BN") -> list[Item]:
    """All layers; other sizes than those published make nets to test with.  bn: the type of what is left of
    the batch normalization, BN or Scale."""
    items: list[Item] = [l.inputs(1, 3, height, width), *initial(bn)]
    items += down("1_0", "prelu0_1", 16, 64)
    before = "prelu1_0_4"
    for i in range(1, 5):
        items += module(f"1_{i}", before, 16, 64)
        before = f"prelu1_{i}_4"
    items += down("2_0", before, 32, 128)
    before = "prelu2_0_4"
    for stage in (2, 3):
        for i, dilation in enumerate(DILATIONS, 1):
            items += module(f"{stage}_{i}", before, 32, 128, dilation)
            before = f"prelu{stage}_{i}_4"
    for stage, inner, outer, mask, count in ((4, 16, 64, "pool2_0_4", 2), (5, 4, 16, "pool1_0_4", 1)):
        items += up(f"{stage}_0", before, inner, outer, f"{mask}_mask", bn)
        before = f"prelu{stage}_0_4"
        for i in range(1, count + 1):
            items += module(f"{stage}_{i}", before, inner, outer, rectifier="ReLU")
            before = f"prelu{stage}_{i}_4"
    return [*items, f"{classes} maps of the input's size.", deconvolution("deconv6_0_0", before, classes)]


def initial(bn: str) -> list[Item]:
    """13 outputs of a convolution, and the image itself at half its size."""
    return [
        "The start: a convolution and a pooling beside it.",
        l.convolution("conv0_1", "data", 13, 3, param=[], pad=1, stride=2, weight_filler=MSRA),
        l.pooling("pool0_1", "data", "MAX", 2, 2),
        l.layer("Concat", "concat0_1", ["conv0_1", "pool0_1"], "concat0_1"),
        normalization("bn0_1", "concat0_1", bn),
        l.layer("PReLU", "prelu0_1", "bn0_1", "prelu0_1"),
    ]


def down(name: str, bottom: str, inner: int, outer: int) -> list[Item]:
    """Half the size, `outer` outputs; the mask of the pooling is what `up` undoes it by."""
    pool = l.pooling(f"pool{name}_4", bottom, "MAX", 2, 2)
    pool.top.append(f"pool{name}_4_mask")
    return [
        f"{name}: half the size, {outer} outputs",
        *inside(name, bottom, inner, outer, kernel=2),
        pool,
        conv(f"conv{name}_4", f"pool{name}_4", outer, 1),
        *together(name, f"conv{name}_4", "PReLU"),
    ]


def module(
    name: str, bottom: str, inner: int, outer: int, dilation: int = PLAIN, rectifier: str = "PReLU"
) -> list[Item]:
    """Few outputs, what is computed of them, and many again, added to what came in."""
    kind = {PLAIN: "3 x 3", SPLIT: "5 x 1 and 1 x 5"}.get(dilation, f"3 x 3, dilated by {dilation}")
    return [
        f"{name}: {kind}",
        *inside(name, bottom, inner, outer, dilation=dilation, rectifier=rectifier),
        *together(name, bottom, rectifier),
    ]


def up(name: str, bottom: str, inner: int, outer: int, mask: str, bn: str) -> list[Item]:
    """Twice the size: values go back to where the pooling found the highest."""
    first, middle, last = (f"conv{name}_{i}" for i in (0, 2, 4))
    return [
        f"{name}: twice the size, {outer} outputs",
        conv(first, bottom, inner, 1),
        l.layer("ReLU", f"prelu{name}_0", first, f"prelu{name}_0"),
        deconvolution(f"deconv{name}_1", f"prelu{name}_0", inner),
        normalization(f"bn{name}_1", f"deconv{name}_1", bn),
        l.layer("ReLU", f"prelu{name}_1", f"bn{name}_1", f"prelu{name}_1"),
        conv(middle, f"prelu{name}_1", outer, 1),
        conv(last, bottom, outer, 1),
        l.layer(
            "Upsample", f"upsample{name}_4", [last, mask], f"upsample{name}_4", upsample_param={"scale": 2}
        ),
        *together(name, f"upsample{name}_4", "ReLU"),
    ]


def inside(
    name: str,
    bottom: str,
    inner: int,
    outer: int,
    *,
    kernel: int = 1,
    dilation: int = PLAIN,
    rectifier: str = "PReLU",
) -> list[LayerParameter]:
    """The three convolutions of a module, the middle one in two where it is split."""
    first, middle, last = (f"conv{name}_{i}" for i in range(3))
    layers = [
        conv(first, bottom, inner, kernel, stride=kernel if kernel > 1 else None),
        l.layer(rectifier, f"prelu{name}_0", first, f"prelu{name}_0"),
    ]
    if (
        dilation == SPLIT
    ):  # each pads both axes by 1, as published: the map is 2 lower and 2 wider between them
        halves = (f"{middle}_a", f"prelu{name}_0", (5, 1)), (middle, f"{middle}_a", (1, 5))
        layers += [
            l.layer(
                "Convolution", half, below, half,
                convolution_param={
                    "num_output": inner, "pad": [1], "kernel_h": h, "kernel_w": w, "weight_filler": MSRA,
                },
            )
            for half, below, (h, w) in halves
        ]  # fmt: skip
    else:
        more = {"dilation": [dilation]} if dilation > 1 else {}
        layers.append(conv(middle, f"prelu{name}_0", inner, 3, pad=dilation, **more))
    return [
        *layers,
        l.layer(rectifier, f"prelu{name}_1", middle, f"prelu{name}_1"),
        conv(last, f"prelu{name}_1", outer, 1),
    ]


def together(name: str, beside: str, rectifier: str) -> list[LayerParameter]:
    total = f"eltwise{name}_4"
    return [
        l.layer("Eltwise", total, [beside, f"conv{name}_2"], total),
        l.layer(rectifier, f"prelu{name}_4", total, f"prelu{name}_4"),
    ]


def conv(name: str, bottom: str, count: int, kernel: int, **conf) -> LayerParameter:
    return l.convolution(name, bottom, count, kernel, param=[], weight_filler=MSRA, **conf)


def deconvolution(name: str, bottom: str, count: int) -> LayerParameter:
    conf = {"num_output": count, "kernel_size": [2], "stride": [2], "weight_filler": MSRA}
    return l.layer("Deconvolution", name, bottom, name, convolution_param=conf)


def normalization(name: str, bottom: str, kind: str) -> LayerParameter:
    """What batch normalization is in use: a factor and a summand for each channel."""
    if kind == "Scale":
        return l.layer("Scale", name, bottom, name, scale_param={"bias_term": True})
    return l.layer("BN", name, bottom, name, bn_param={"bn_mode": "INFERENCE"})
