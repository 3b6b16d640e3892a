"""Well-known nets of Caffe's forks, layer for layer as their families have them, but narrow, short and small:
to see that what they are made of runs and is converted.

Those that OpenCV reads too are in opencv_nets.py, those that numbers were recorded of in golden/forks/nets.
"""

from __future__ import annotations

from tools.nets import layers as l
from tools.nets.spelling import Item

from .opencv_nets import conv, conv_relu, normalized, spell

ANCHORS = 9
V2 = [1.08, 1.19, 3.42, 4.41, 6.63, 11.38, 9.42, 5.11, 16.62, 10.52]
TINY_V3 = [10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319]


def image(*shape: int, name: str = "data") -> Item:
    return l.layer("Input", name, [], name, input_param={"shape": [{"dim": shape}]})


def softmax(name: str, bottom: str, top: str, **conf) -> Item:
    return l.layer("Softmax", name, bottom, top, **conf)


def pooled(name: str, bottom: str, method: str = "MAX") -> Item:
    return l.pooling(name, bottom, method, 2, 2)


# -- regions


def proposing(*, cpp: bool = False) -> list[Item]:
    """A trunk that halves four times, and what proposes regions of it: py-faster-rcnn's module, or PVANet's
    layer."""
    items: list[Item] = [image(1, 3, 96, 128), image(1, 4 if cpp else 3, name="im_info")]
    bottom = "data"
    for i in range(1, 5):
        items += [*conv_relu(f"conv{i}", bottom, 4 + 2 * i), pooled(f"pool{i}", f"conv{i}")]
        bottom = f"pool{i}"
    items += [
        *conv_relu("rpn_conv", bottom, 8),
        conv("rpn_cls_score", "rpn_conv", 2 * ANCHORS, 1),
        conv("rpn_bbox_pred", "rpn_conv", 4 * ANCHORS, 1),
    ]
    for name, before, channels in (("pair", "rpn_cls_score", 2), ("rpn_cls_prob", "prob", 2 * ANCHORS)):
        shape = {"shape": {"dim": [0, channels, -1, 0]}}
        items.append(l.layer("Reshape", name, before, name, reshape_param=shape))
        if name == "pair":
            items.append(softmax("prob", "pair", "prob"))
    read = ["rpn_cls_prob", "rpn_bbox_pred", "im_info"]
    if cpp:
        conf = {"ratio": [0.5, 1, 2], "scale": [1, 2, 4], "post_nms_topn": 20}
        return [*items, l.layer("Proposal", "proposal", read, ["rois", "scores"], proposal_param=conf)]
    module = {"module": "rpn.proposal_layer", "layer": "ProposalLayer"}
    module["param_str"] = "'feat_stride': 16, 'scales': [1, 2, 4], 'RPN_POST_NMS_TOP_N': 20"
    return [*items, l.layer("Python", "proposal", read, "rois", python_param=module)]


def faster_rcnn(*, cpp: bool = False) -> str:
    pool = {"pooled_h": 3, "pooled_w": 3, "spatial_scale": 0.0625}
    return spell(
        [
            *proposing(cpp=cpp),
            l.layer("ROIPooling", "roi_pool", ["pool4", "rois"], "roi_pool", roi_pooling_param=pool),
            l.inner_product("fc6", "roi_pool", 20, param=[]),
            l.relu("relu6", "fc6"),
            l.dropout("drop6", "fc6", 0.5),
            l.inner_product("cls_score", "fc6", 5, param=[]),
            softmax("cls_prob", "cls_score", "cls_prob"),
            l.inner_product("bbox_pred", "fc6", 20, param=[]),
        ]
    )


def pvanet() -> str:
    return faster_rcnn(cpp=True)


def rfcn() -> str:
    """Its class scores and moves end in Reshapes, which have a row for every region."""
    items: list[Item] = proposing()
    for part, count in (("cls", 5), ("bbox", 8)):
        conf = {"spatial_scale": 0.0625, "output_dim": count, "group_size": 3}
        maps, regions, mean = f"rfcn_{part}", f"psroipooled_{part}", f"ave_{part}"
        items += [
            conv(maps, "pool4", count * 9, 1),
            l.layer("PSROIPooling", regions, [maps, "rois"], regions, psroi_pooling_param=conf),
            l.pooling(mean, regions, "AVE", 3, 3),
        ]
        if part == "cls":
            items.append(softmax("cls_prob_pre", mean, "cls_prob_pre"))
        shape = {"shape": {"dim": [-1, count]}}
        before, after = ("cls_prob_pre", "cls_prob") if part == "cls" else (mean, "bbox_pred")
        items.append(l.layer("Reshape", after, before, after, reshape_param=shape))
    return spell(items)


# -- YOLO


def leaky(name: str, bottom: str, count: int, kernel: int = 3) -> list[Item]:
    items = normalized(name, bottom, count, kernel, relu=False)
    slope = {"negative_slope": 0.1}
    return [*items, l.layer("ReLU", f"{name}/act", name, name, relu_param=slope)]


def yolov2() -> str:
    """Darknet's passthrough: a Reorg beside the trunk."""
    conf = {"num_classes": 4, "biases": V2, "confidence_threshold": 0.1}
    return spell(
        [
            image(1, 3, 64, 96),
            *leaky("conv1", "data", 8),
            pooled("pool1", "conv1"),
            *leaky("conv2", "pool1", 8),
            pooled("pool2", "conv2"),
            *leaky("conv3", "pool2", 12),
            l.layer("Reorg", "reorg", "conv2", "reorg", reorg_param={"stride": 2}),
            l.layer("Concat", "route", ["reorg", "conv3"], "route"),
            *leaky("conv4", "route", 16),
            pooled("pool4", "conv4"),
            conv("region", "pool4", 5 * 9, 1),
            l.layer(
                "YoloDetectionOutput", "found", "region", "found", yolo_detection_output_param=conf
            ),
        ]
    )  # fmt: skip


def yolov3_tiny() -> str:
    conf = {"num_classes": 4, "biases": TINY_V3, "mask": [3, 4, 5, 0, 1, 2], "mask_group_num": 2}
    conf |= {"anchors_scale": [32, 16], "confidence_threshold": 0.2}
    up = {"stride": [2], "kernel_size": [4], "num_output": 8, "group": 8, "pad": [1], "bias_term": False}
    items: list[Item] = [image(1, 3, 96, 64)]
    bottom = "data"
    for i in range(1, 6):
        items += [*leaky(f"conv{i}", bottom, 4 + 2 * i), pooled(f"pool{i}", f"conv{i}")]
        bottom = f"pool{i}"
    return spell(
        [
            *items,
            *leaky("conv6", "pool5", 16),
            conv("coarse", "conv6", 3 * 9, 1),
            *leaky("conv7", "conv6", 8, 1),
            l.layer("Deconvolution", "up", "conv7", "up", convolution_param=up),
            l.layer("Concat", "route", ["up", "conv5"], "route"),
            *leaky("conv8", "route", 12),
            conv("fine", "conv8", 3 * 9, 1),
            l.layer(
                "Yolov3DetectionOutput", "found", ["coarse", "fine"], "found",
                yolov3_detection_output_param=conf,
            ),
        ]
    )  # fmt: skip


# -- classification


def mobilenet_v2() -> str:
    """Two inverted residuals, with the ReLU6 of its forks."""
    items: list[Item] = [image(1, 3, 32, 32), *normalized("conv1", "data", 8, stride=2, relu=False)]
    items.append(l.layer("ReLU6", "conv1/act", "conv1", "conv1"))
    for i in (1, 2):
        wide, deep, thin = (f"block{i}_{part}" for part in ("expand", "dwise", "linear"))
        before = "conv1" if i == 1 else "block1_add"
        items += normalized(wide, before, 24, 1, relu=False)
        items.append(l.layer("ReLU6", f"{wide}/act", wide, wide))
        items += normalized(deep, wide, 24, group=24, relu=False)
        items[-3].type = "ConvolutionDepthwise"
        items.append(l.layer("ReLU6", f"{deep}/act", deep, deep))
        items += normalized(thin, deep, 8, 1, relu=False)
        items.append(l.layer("Eltwise", f"block{i}_add", [before, thin], f"block{i}_add"))
    return spell([*items, *classified("block2_add")])


def mobilenet_v3() -> str:
    """Converted: HardSwish, and a gate that is multiplied, by Mul."""
    mean = {"pool": "AVE", "global_pooling": True}
    return spell(
        [
            image(1, 3, 32, 32),
            *normalized("conv1", "data", 8, stride=2, relu=False),
            l.layer("HardSwish", "swish", "conv1", "swish"),
            *normalized("conv2", "swish", 8, group=8, relu=False),
            l.layer("Pooling", "mean", "conv2", "mean", pooling_param=mean),
            *conv_relu("down", "mean", 4, 1),
            conv("up", "down", 8, 1),
            l.layer("Sigmoid", "gate", "up", "gate"),
            l.layer("Mul", "gated", ["conv2", "gate"], "gated"),
            *classified("gated"),
        ]
    )


def classified(bottom: str) -> list[Item]:
    mean = {"pool": "AVE", "global_pooling": True}
    pool = l.layer("Pooling", "pool_last", bottom, "pool_last", pooling_param=mean)
    return [pool, l.inner_product("fc", "pool_last", 7, param=[]), l.prob("fc")]


def c3d() -> str:
    """Clips: convolutions and poolings of three axes."""
    cube = {"kernel_shape": {"dim": [3, 3, 3]}, "stride_shape": {"dim": [1, 1, 1]}}
    cube |= {"pad_shape": {"dim": [1, 1, 1]}}
    pool = {"pool": "MAX", "kernel_shape": {"dim": [2, 2, 2]}, "stride_shape": {"dim": [2, 2, 2]}}
    items: list[Item] = [image(1, 3, 4, 16, 16)]
    bottom = "data"
    for i, count in enumerate((8, 12), 1):
        name = f"conv{i}a"
        items += [
            l.layer("NdConvolution", name, bottom, name, convolution_param={"num_output": count, **cube}),
            l.relu(f"relu{i}a", name),
            l.layer("NdPooling", f"pool{i}", name, f"pool{i}", pooling_param=pool),
        ]
        bottom = f"pool{i}"
    return spell([*items, l.inner_product("fc6", bottom, 7, param=[]), l.prob("fc6")])


def sphereface() -> str:
    """PReLU, residuals, a feature; NormFace compares it with centres, once both have length 1."""
    slope = {"filler": l.constant(0.25)}
    items: list[Item] = [image(2, 3, 24, 20)]
    bottom = "data"
    for i, stride in ((1, 2), (2, None)):
        items.append(conv(f"conv{i}", bottom, 8, stride=stride))
        items.append(l.layer("PReLU", f"relu{i}", f"conv{i}", f"conv{i}", prelu_param=slope))
        bottom = f"conv{i}"
    distance = {"num_output": 6, "normalize": True, "bias_term": False, "weight_filler": l.gaussian(1)}
    return spell(
        [
            *items,
            l.layer("Eltwise", "res", ["conv1", "conv2"], "res"),
            l.inner_product("fc5", "res", 16, param=[]),
            l.layer("Normalize", "norm", "fc5", "norm", normalize_param={"normalize_type": "L2"}),
            l.layer("InnerDistance", "distance", "norm", "distance", inner_distance_param=distance),
        ]
    )


# -- pixels, sequences, pairs of images


def fcn() -> str:
    """Also HED and OSVOS: scores of a coarse map, enlarged and cut to the image."""
    up = {"num_output": 5, "kernel_size": [8], "stride": [4], "bias_term": False}
    return spell(
        [
            image(1, 3, 29, 37),
            *conv_relu("conv1", "data", 8, pad=9),
            pooled("pool1", "conv1"),
            *conv_relu("conv2", "pool1", 8),
            pooled("pool2", "conv2"),
            conv("score", "pool2", 5, 1),
            l.layer("Deconvolution", "upscore", "score", "upscore", convolution_param=up),
            l.layer("Crop", "cut", ["upscore", "data"], "cut", crop_param={"axis": 2, "offset": [3]}),
            l.layer("Sigmoid", "fuse", "cut", "fuse"),
        ]
    )


def deconvnet() -> str:
    """Masks of pooling lead back."""
    back = {"pool": "MAX", "kernel_size": 2, "stride": 2}
    return spell(
        [
            image(1, 3, 16, 16),
            *conv_relu("conv1", "data", 8),
            l.layer("Pooling", "pool1", "conv1", ["pool1", "mask"], pooling_param=back),
            *conv_relu("conv2", "pool1", 8),
            l.layer(
                "Unpooling", "unpool", ["conv2", "mask"], "unpool",
                unpooling_param={"unpool": "MAX", "kernel_size": 2, "stride": 2, "unpool_size": 16},
            ),
            l.layer(
                "Deconvolution", "deconv", "unpool", "deconv",
                convolution_param={"num_output": 4, "kernel_size": [3], "pad": [1]},
            ),
        ]
    )  # fmt: skip


def crnn() -> str:
    """A line of text: columns of a map as steps, read from both ends, and decoded."""
    lstm = {"num_output": 6, "weight_filler": l.gaussian(0.3)}
    items: list[Item] = [
        image(1, 1, 8, 24),
        *conv_relu("conv1", "data", 6),
        l.pooling("pool1", "conv1", "MAX", 8, 2),
        l.layer("Permute", "steps", "pool1", "steps", permute_param={"order": [3, 0, 1, 2]}),
        l.layer("Flatten", "rows", "steps", "rows", flatten_param={"axis": 2}),
        l.layer("Lstm", "forth", "rows", "forth", lstm_param=lstm),
        l.layer("Reverse", "turned", "rows", "turned"),
        l.layer("Lstm", "back", "turned", "back", lstm_param=lstm),
        l.layer("Reverse", "again", "back", "again"),
        l.layer("Concat", "both", ["forth", "again"], "both", concat_param={"axis": 2}),
        l.inner_product("scores", "both", 5, param=[], axis=2),
        l.layer("CTCGreedyDecoder", "text", "scores", "text"),
    ]
    return spell(items)


def flownet_c() -> str:
    """Two images under the same weights, compared at all displacements; FlowNet 2 warps one by the result."""
    items: list[Item] = [image(1, 3, 16, 24, name="a"), image(1, 3, 16, 24, name="b")]
    for one in "ab":
        twin = conv(f"conv_{one}", one, 6, stride=2)
        for name in "wb":
            twin.param.add(name=f"conv/{name}")
        items += [twin, l.relu(f"relu_{one}", f"conv_{one}")]
    compared = {"pad": 4, "kernel_size": 1, "max_displacement": 4, "stride_1": 1, "stride_2": 2}
    larger = {"height": 16, "width": 24}
    return spell(
        [
            *items,
            l.layer("Correlation", "corr", ["conv_a", "conv_b"], "corr", correlation_param=compared),
            *conv_relu("conv3", "corr", 8),
            conv("flow", "conv3", 2),
            l.layer("Interp", "fullsize", "flow", "fullsize", interp_param=larger),
            l.layer("FlowWarp", "warped", ["b", "fullsize"], "warped", flow_warp_param={}),
        ]
    )
