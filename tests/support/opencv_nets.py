"""Nets of Caffe's forks at small sizes, for OpenCV to run too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicaffe.net import Net
from minicaffe.proto.schema import LayerParameter
from tools.nets import enet, mobilenet_ssd
from tools.nets import layers as l
from tools.nets.spelling import Item, spell_net
from tools.nets.ssd import Source, heads

FOUND = {"nms_param": {"nms_threshold": 0.45, "top_k": 40}, "keep_top_k": 30, "confidence_threshold": 0.2}


def spell(items: Sequence[Item]) -> str:
    return spell_net("", "net", items)


def conv(name: str, bottom: str, count: int, kernel: int = 3, **conf) -> LayerParameter:
    """A convolution that keeps the size, unless it has a stride."""
    pad = conf.pop("pad", kernel // 2 or None)
    return l.convolution(name, bottom, count, kernel, param=[], pad=pad, **conf)


def conv_relu(name: str, bottom: str, count: int, kernel: int = 3, **conf) -> list[Item]:
    return [conv(name, bottom, count, kernel, **conf), l.relu(f"{name}/relu", name)]


def normalized(
    name: str, bottom: str, count: int, kernel: int = 3, *, relu: bool = True, **conf
) -> list[Item]:
    """A convolution with BatchNorm and Scale behind it."""
    return [
        conv(name, bottom, count, kernel, bias_term=False, **conf),
        l.layer("BatchNorm", f"{name}/bn", name, name, batch_norm_param={"use_global_stats": True}),
        l.layer("Scale", f"{name}/scale", name, name, scale_param={"bias_term": True}),
        *([l.relu(f"{name}/relu", name)] if relu else []),
    ]


def with_bn(name: str, bottom: str, count: int, kernel: int = 3, *, relu: bool = True, **conf) -> list[Item]:
    """A convolution with PSPNet's BN behind it."""
    fillers = {"slope_filler": l.constant(1), "bias_filler": l.constant(0), "frozen": True}
    return [
        conv(name, bottom, count, kernel, bias_term=False, **conf),
        l.layer("BN", f"{name}/bn", name, name, bn_param=fillers),
        *([l.relu(f"{name}/relu", name)] if relu else []),
    ]


def ssd_vgg() -> str:
    """SSD as its authors have it: the first map normalized, the last convolutions of VGG dilated."""
    norm = {"across_spatial": False, "channel_shared": False, "scale_filler": l.constant(20)}
    sources = (
        Source("conv4_3_norm", 12, 24, (2,), step=8),
        Source("fc7", 24, 36, (2, 3), step=16),
        Source("conv6_2", 36, 48, (2,), step=32),
    )
    return spell(
        [
            l.inputs(1, 3, 64, 64),
            *conv_relu("conv1_1", "data", 8),
            l.pooling("pool1", "conv1_1", "MAX", 2, 2),
            *conv_relu("conv2_1", "pool1", 12),
            l.pooling("pool2", "conv2_1", "MAX", 2, 2),
            *conv_relu("conv3_1", "pool2", 16),
            l.pooling("pool3", "conv3_1", "MAX", 2, 2),
            *conv_relu("conv4_3", "pool3", 16),
            l.layer("Normalize", "conv4_3_norm", "conv4_3", "conv4_3_norm", norm_param=norm),
            l.pooling("pool4", "conv4_3", "MAX", 2, 2),
            *conv_relu("conv5_1", "pool4", 16, dilation=[1]),
            l.pooling("pool5", "conv5_1", "MAX", 3, 1, pad=1),
            *conv_relu("fc6", "pool5", 24, pad=2, dilation=[2]),
            *conv_relu("fc7", "fc6", 24, 1),
            *conv_relu("conv6_1", "fc7", 8, 1),
            *conv_relu("conv6_2", "conv6_1", 16, stride=2),
            *heads(sources, 5, 3, **FOUND),
        ]
    )


def ssd_mobilenet() -> str:
    """The net of prototxt/mobilenet_ssd, narrow and with batch normalization."""
    sources = (
        Source("conv3", 20, None, (2,)),
        Source("conv4", 30, 45, (2, 3)),
        Source("conv14_2", 50, 60, (2,)),
    )
    more, outputs = {14: (8, 16)}, (8, 12, 12, 16)
    items = mobilenet_ssd.net(
        folded=False, size=80, classes=5, outputs=outputs, sources=sources, more=more, first=8
    )
    return spell(items)


def small_enet(*, theirs: bool = False) -> str:
    """The net of prototxt/enet for small images.  OpenCV has Scale for BN, and MaxUnpool for Upsample."""
    if not theirs:
        return spell(enet.net(32, 64, 5))
    sides = " ".join(f"pool_k_{side}: 2 pool_stride_{side}: 2 pool_pad_{side}: 0" for side in "hw")
    text = spell(enet.net(32, 64, 5, bn="Scale")).replace('"Upsample"', '"MaxUnpool"')
    return text.replace("upsample_param { scale: 2 }", f"max_unpool_param {{ {sides} }}")


def pspnet() -> str:
    """A residual block and the pyramid of PSPNet."""
    items = [
        l.inputs(1, 3, 65, 49),
        *with_bn("conv1_1", "data", 8, stride=2),
        l.pooling("pool1", "conv1_1", "MAX", 3, 2, pad=1),
        *with_bn("conv2_1", "pool1", 8, 1),
        *with_bn("conv2_2", "conv2_1", 8, pad=2, dilation=[2]),
        *with_bn("conv2_3", "conv2_2", 16, 1, relu=False),
        *with_bn("conv2_proj", "pool1", 16, 1, relu=False),
        l.layer("Eltwise", "conv2", ["conv2_proj", "conv2_3"], "conv2"),
        l.relu("conv2/relu", "conv2"),
    ]
    pyramid = []
    for kernel, stride in ((17, 13), (9, 8), (6, 4)):
        name = f"pool{kernel}"
        pool = l.pooling(name, "conv2", "AVE", kernel, stride)
        if kernel == 17:
            pool.pooling_param.ClearField("kernel_size")
            pool.pooling_param.ClearField("stride")
            pool.pooling_param.global_pooling = True
        interp = {"height": 17, "width": 13}
        items += [pool, *with_bn(f"{name}_conv", name, 4, 1)]
        items.append(
            l.layer("Interp", f"{name}_interp", f"{name}_conv", f"{name}_interp", interp_param=interp)
        )
        pyramid.append(f"{name}_interp")
    return spell(
        [
            *items,
            l.layer("Concat", "pyramid", ["conv2", *pyramid], "pyramid"),
            *with_bn("conv6", "pyramid", 8),
            l.dropout("drop6", "conv6", 0.1),
            conv("conv6_2", "conv6", 5, 1),
            l.layer("Interp", "scores", "conv6_2", "scores", interp_param={"zoom_factor": 4}),
        ]
    )


def se_resnet(*, exchanged: bool = False) -> str:
    """Two blocks whose branch is weighted by channel; `exchanged`: Axpy's summand and factor's partner have
    changed places."""
    items = [l.inputs(1, 3, 32, 32), *normalized("conv1", "data", 8, stride=2)]
    before, count = "conv1", 8
    for block, outputs, stride in (("conv2_1", 16, 1), ("conv2_2", 16, 1)):
        mean, down, up, prob = (f"{block}_{part}" for part in ("global_pool", "down", "up", "prob"))
        last, total = f"{block}_1x1_increase", f"{block}_sum"
        items += normalized(f"{block}_1x1_reduce", before, 4, 1, stride=stride)
        items += normalized(f"{block}_3x3", f"{block}_1x1_reduce", 4)
        items += normalized(last, f"{block}_3x3", outputs, 1, relu=False)
        pool = l.layer("Pooling", mean, last, mean, pooling_param={"pool": "AVE", "global_pooling": True})
        items += [pool, *conv_relu(down, mean, 2, 1), conv(up, down, outputs, 1)]
        items.append(l.layer("Sigmoid", prob, up, prob))
        if count != outputs:
            items += normalized(f"{block}_1x1_proj", before, outputs, 1, relu=False, stride=stride)
            before, count = f"{block}_1x1_proj", outputs
        pair = [before, last] if exchanged else [last, before]
        items += [l.layer("Axpy", total, [prob, *pair], total), l.relu(f"{total}/relu", total)]
        before = total
    pool = l.layer("Pooling", "pool5", before, "pool5", pooling_param={"pool": "AVE", "global_pooling": True})
    return spell([*items, pool, l.inner_product("classifier", "pool5", 7, param=[]), l.prob("classifier")])


def shufflenet() -> str:
    """A unit of ShuffleNet that halves the size, and one that keeps it."""
    items = [
        l.inputs(1, 3, 32, 32),
        *normalized("conv1", "data", 12, stride=2),
        l.pooling("pool1", "conv1", "MAX", 3, 2),
    ]
    before = "pool1"
    for i, stride in enumerate((2, 1), 1):
        name, outputs = f"resx{i}", 12 if stride == 2 else 24
        shuffled = f"{name}_shuffle"
        items += normalized(f"{name}_conv1", before, 12, 1, group=3)
        conf = {"group": 3}
        items.append(
            l.layer("ShuffleChannel", shuffled, f"{name}_conv1", shuffled, shuffle_channel_param=conf)
        )
        depthwise = normalized(f"{name}_conv2", shuffled, 12, group=12, stride=stride, relu=False)
        depthwise[0].type = "ConvolutionDepthwise"
        items += depthwise
        items += normalized(f"{name}_conv3", f"{name}_conv2", outputs, 1, group=3, relu=False)
        if stride == 2:
            items.append(l.pooling(f"{name}_match", before, "AVE", 3, 2))
            items.append(
                l.layer("Concat", f"{name}_concat", [f"{name}_match", f"{name}_conv3"], f"{name}_concat")
            )
            before = f"{name}_concat"
        else:
            items.append(l.layer("Eltwise", f"{name}_sum", [before, f"{name}_conv3"], f"{name}_sum"))
            before = f"{name}_sum"
        items.append(l.relu(f"{name}_relu", before))
    pool = l.layer("Pooling", "pool5", before, "pool5", pooling_param={"pool": "AVE", "global_pooling": True})
    return spell([*items, pool, l.inner_product("fc", "pool5", 7, param=[]), l.prob("fc")])


def regions(kind: str) -> str:
    """What Faster R-CNN and R-FCN compute of the regions that were proposed, which are an input here."""
    rois = l.layer("Input", "rois", [], "rois", input_param={"shape": [{"dim": [6, 5]}]})
    trunk = [
        l.inputs(1, 3, 64, 80),
        rois,
        *conv_relu("conv1", "data", 8, stride=2),
        *conv_relu("conv2", "conv1", 12, stride=2),
    ]
    if kind == "faster_rcnn":
        pool = {"pooled_h": 3, "pooled_w": 4, "spatial_scale": 0.25}
        return spell(
            [
                *trunk,
                l.layer("ROIPooling", "roi_pool", ["conv2", "rois"], "roi_pool", roi_pooling_param=pool),
                l.inner_product("fc6", "roi_pool", 20, param=[]),
                l.relu("relu6", "fc6"),
                l.inner_product("cls_score", "fc6", 4, param=[]),
                l.layer("Softmax", "cls_prob", "cls_score", "cls_prob"),
                l.inner_product("bbox_pred", "fc6", 16, param=[]),
            ]
        )
    items: list[Item] = [*trunk]
    for part, count in (("cls", 4), ("bbox", 8)):
        conf = {"spatial_scale": 0.25, "output_dim": count, "group_size": 3}
        pooled, score = f"psroipooled_{part}", f"{part}_score"
        items += [
            conv(f"rfcn_{part}", "conv2", count * 9, 1),
            l.layer("PSROIPooling", pooled, [f"rfcn_{part}", "rois"], pooled, psroi_pooling_param=conf),
            l.layer(
                "Pooling", score, pooled, score, pooling_param={"pool": "AVE", "kernel_size": 3, "stride": 3}
            ),
        ]
    return spell([*items, l.layer("Softmax", "cls_prob", "cls_score", "cls_prob")])


def fill(net: Net, gain: float = 2, seed: int = 7) -> None:
    """Give a net weights as they are after training: values stay of one size from layer to layer, in a net
    without sums of branches if `gain` is 2."""
    rng = np.random.default_rng(seed)
    for one in net.layers:
        for i, blob in enumerate(one.params):
            shape = blob.shape
            if one.type == "BN" and i > 1:
                values = rng.uniform(0.5, 1.5, shape) if i == 3 else 0.1 * rng.standard_normal(shape)
            elif one.type == "BatchNorm":
                values = (0.1 * rng.standard_normal(shape), rng.uniform(0.5, 1.5, shape), np.ones(shape))[i]
            elif one.type in ("Scale", "BN", "PReLU", "Normalize") and i == 0:
                values = rng.uniform(0.5, 1.5, shape) * {"PReLU": 0.25, "Normalize": 3}.get(one.type, 1)
            elif len(shape) > 1:
                wider = 4 if one.name.endswith("conf") else 1  # scores that differ
                values = rng.standard_normal(shape) * np.sqrt(wider * gain / np.prod(shape[1:]))
            else:
                values = 0.1 * rng.standard_normal(shape)
            blob.data[...] = values.astype(np.float32)
