"""Every layer type and its options: an export proves itself against onnxruntime, so that it succeeds is the
test; of what random numbers would not show, the values are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minicaffe.convert.onnx.graph import NoEquivalent
from minicaffe.convert.onnx.rules import RULES
from minicaffe.errors import ShapeError
from minicaffe.net import Net

from .exporting import computed, layer, net, operators, single, written
from .test_onnx_boxes import CASES as BOXES

WEIGHTS = 'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }'
RANDOM = 'type: "gaussian" std: 1'
IMAGE, ROWS = (2, 4, 5, 6), (3, 4)


def conv(text: str) -> str:
    return f"convolution_param {{ {text} {WEIGHTS} }}"


def dense(text: str) -> str:
    return f"inner_product_param {{ num_output: 3 {text} {WEIGHTS} }}"


def scaled(text: str) -> str:
    random = 'filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }'
    return f"scale_param {{ {text} {random} }}"


def biased(text: str) -> str:
    return f'bias_param {{ {text} filler {{ type: "gaussian" std: 1 }} }}'


def roi_pooled(h: int, w: int, scale: float) -> str:
    return f"roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}"


def recurrent(text: str) -> str:
    return f"recurrent_param {{ num_output: 3 {text} {WEIGHTS} }}"


# type -> (parameters, shapes of the bottoms, number of tops) of each case
CASES = {
    "AbsVal": [("", [IMAGE], 1)],
    "Add": [("", [IMAGE, other], 1) for other in (IMAGE, (4, 1, 1), (2, 1, 5, 1), ())],
    "ArgMax": [
        (f"argmax_param {{ {text} }}", [shape], 1)
        for text in ("", "top_k: 3", "axis: 1", "axis: -1 top_k: 2", "axis: 1 out_max_val: true")
        for shape in (IMAGE, ROWS)
    ]
    + [("argmax_param { top_k: 2 out_max_val: true }", [IMAGE], 1)],
    "Axpy": [("", [a, IMAGE, IMAGE], 1) for a in ((2, 4), (2, 4, 1, 1))],
    "BatchNorm": [
        ("", [IMAGE], 1),
        ("", [ROWS], 1),
        ("batch_norm_param { eps: 0.1 use_global_stats: false }", [IMAGE], 1),
    ],
    "BatchReindex": [("", [ROWS, (5,)], 1)],
    "Bias": [(biased(text), [IMAGE], 1) for text in ("", "axis: 0 num_axes: 2", "axis: 2 num_axes: -1")]
    + [(biased("axis: 1"), [IMAGE, (4, 5)], 1), (biased("num_axes: 0"), [IMAGE], 1)],
    "BN": [
        (f"bn_param {{ {text} }}", [shape], 1)
        for text in (
            f"scale_filler {{ {RANDOM} }} shift_filler {{ {RANDOM} }}",
            f"scale_filler {{ {RANDOM} }} shift_filler {{ {RANDOM} }} bn_mode: INFERENCE",
            f"slope_filler {{ {RANDOM} }} bias_filler {{ {RANDOM} }} eps: 0.1",
            f"slope_filler {{ {RANDOM} }} bias_filler {{ {RANDOM} }} frozen: true",
        )
        for shape in (IMAGE, (5, 4))
    ],
    "BNLL": [("", [IMAGE], 1)],
    "Clip": [("clip_param { min: -0.5 max: 0.25 }", [IMAGE], 1)],
    "ChannelScale": [
        (f"channel_scale_param {{ {text} }}", [IMAGE, (2, 1, 5, 6)], 1) for text in ("", "do_forward: false")
    ],
    "Concat": [
        ("", [IMAGE, (2, 3, 5, 6)], 1),
        ("", [IMAGE], 1),
        ("concat_param { axis: -1 }", [IMAGE, (2, 4, 5, 1)], 1),
    ],
    "ContinuationIndicator": [("continuation_indicator_param { time_step: 3 batch_size: 2 }", [], 1)],
    "Convolution": [
        (conv("num_output: 6 kernel_size: 3"), [IMAGE], 1),
        (conv("num_output: 6 kernel_size: 3 bias_term: false"), [IMAGE], 1),
        (conv("num_output: 6 kernel_size: 3"), [IMAGE, IMAGE], 2),
        (conv("num_output: 6 kernel_h: 3 kernel_w: 1 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2"), [IMAGE], 1),
        (conv("num_output: 6 kernel_size: 2 axis: 2"), [(2, 3, 4, 5)], 1),
        (conv("num_output: 6 kernel_size: 2 axis: 0"), [(4, 5, 6)], 1),
        (conv("num_output: 6 kernel_size: 2 stride: 2 pad: 1"), [(2, 4, 5, 6, 7)], 1),
        (conv("num_output: 6 kernel_size: 3 dilation: 2 group: 2"), [(2, 4, 9)], 1),
        (conv("num_output: 6"), [ROWS], 1),
        (conv("num_output: 6 kernel_size: 3 stride: 2"), [(1, 4, 2, 2)], 1),  # short of the kernel
    ],
    "Crop": [
        ("", [IMAGE, (2, 4, 3, 2)], 1),
        ("crop_param { axis: 1 offset: 1 offset: 0 offset: 3 }", [IMAGE, (9, 2, 4, 3)], 1),
        ("crop_param { axis: -1 offset: 2 }", [IMAGE, (9, 9, 9, 3)], 1),
    ],
    "CTCGreedyDecoder": [
        (f"ctc_decoder_param {{ {text} }}", [shape], 1)
        for text in ("", "blank_index: -1", "ctc_merge_repeated: false")
        for shape in ((9, 3, 4), (1, 2, 3), (5, 2, 3, 1))
    ],
    "Deconvolution": [
        (conv("num_output: 6 kernel_size: 3 stride: 2 pad: 1"), [IMAGE], 1),
        (conv("num_output: 6 kernel_size: 3 dilation: 2 group: 2"), [IMAGE, IMAGE], 2),
        (conv("num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false"), [IMAGE], 1),
        (conv("num_output: 6 kernel_size: 3"), [(2, 4, 5)], 1),
        (conv("num_output: 6 kernel_size: 2 stride: 3"), [(2, 4, 3, 2, 2)], 1),
        (conv("num_output: 6 kernel_size: 2 axis: 2"), [(2, 3, 4, 5)], 1),
        (conv("num_output: 6"), [ROWS], 1),
    ],
    "DenseBlock": [
        (
            f"denseblock_param {{ numTransition: 2 growthRate: 3 use_BC: {bottleneck}"
            f" Filter_Filler {{ {RANDOM} }} BN_Scaler_Filler {{ {RANDOM} }} BN_Bias_Filler {{ {RANDOM} }} }}",
            [IMAGE],
            1,
        )
        for bottleneck in ("true", "false")
    ],
    "Dropout": [
        (f"dropout_param {{ dropout_ratio: 0.9 {text} }}", [IMAGE], 1) for text in ("", "scale_train: false")
    ],
    "Eltwise": [
        ("", [IMAGE] * 2, 1),
        ("eltwise_param { coeff: 2 coeff: 1 coeff: -1 }", [IMAGE] * 3, 1),
        ("eltwise_param { operation: PROD }", [IMAGE] * 3, 1),
        ("eltwise_param { operation: MAX }", [IMAGE] * 3, 1),
    ],
    "ELU": [("", [IMAGE], 1), ("elu_param { alpha: 0.3 }", [IMAGE], 1)],
    "Embed": [
        (f"embed_param {{ num_output: 4 input_dim: 6 {text} {WEIGHTS} }}", [(2, 5)], 1)
        for text in ("", "bias_term: false")
    ],
    "Exp": [("", [IMAGE], 1), ("exp_param { base: 2 scale: 3 shift: -1 }", [IMAGE], 1)],
    "Flip": [
        (f"flip_param {{ {text} }}", [IMAGE], 1)
        for text in ("", "flip_height: true", "flip_width: false", "flip_width: false flip_height: true")
    ],
    "Flatten": [
        ("", [IMAGE], 1),
        ("flatten_param { axis: 2 }", [IMAGE], 1),
        ("flatten_param { axis: 0 end_axis: -2 }", [IMAGE], 1),
    ],
    "Im2col": [
        ("convolution_param { kernel_size: 3 pad: 1 stride: 2 }", [IMAGE], 1),
        ("convolution_param { kernel_h: 2 kernel_w: 3 dilation: 2 }", [IMAGE], 1),
        ("convolution_param { kernel_size: 2 axis: 0 }", [(3, 4, 5)], 1),
    ],
    "InnerProduct": [
        (dense(""), [IMAGE], 1),
        (dense("bias_term: false"), [ROWS], 1),
        (dense("transpose: true"), [IMAGE], 1),
        (dense("axis: 2"), [IMAGE], 1),
        (dense("axis: -1"), [IMAGE], 1),
        (dense("axis: 0"), [IMAGE], 1),
    ],
    "Log": [
        ("log_param { base: 10 scale: 0.1 shift: 3 }", [IMAGE], 1),
        ("log_param { shift: 9 }", [ROWS], 1),
    ],
    "Interp": [
        (f"interp_param {{ {text} }}", [(2, 3, 6, 5)], 1)
        for text in (
            "height: 9 width: 4",
            "zoom_factor: 3 pad_beg: -1",
            "shrink_factor: 2",
            "zoom_factor: 2 shrink_factor: 3 pad_beg: -1 pad_end: -1",
            "height: 1 width: 1",
            "zoom_factor: 1",
        )
    ],
    "LRN": [
        (f"lrn_param {{ {text} }}", [(2, 6, 5, 4)], 1)
        for text in (
            "",
            "local_size: 3 alpha: 2 beta: 0.5 k: 2",
            "local_size: 9 alpha: 0.1",
            "alpha: -0.01 k: 3",
            "alpha: 0",
            "beta: -0.5",
            "local_size: 3 alpha: 2 beta: 1.5 norm_region: WITHIN_CHANNEL",
            "local_size: 7 k: 5 norm_region: WITHIN_CHANNEL",
        )
    ],
    "LSTM": [
        (recurrent(""), [(4, 2, 5), (4, 2)], 1),
        (recurrent(""), [(4, 2, 3, 2), (4, 2), (2, 6)], 1),
        (recurrent("expose_hidden: true"), [(4, 2, 5), (4, 2), (1, 2, 3), (1, 2, 3)], 3),
        (recurrent("expose_hidden: true"), [(4, 2), (4, 2), (2, 2, 2), (1, 2, 3), (1, 2, 3)], 3),
    ],
    "Lstm": [
        (f"lstm_param {{ num_output: 3 batch_size: 2 {WEIGHTS} }}", shapes, 1)
        for shapes in ([(8, 5)], [(8, 5), (8,)], [(4, 2, 5)], [(4, 2, 5), (4, 2)])
    ],
    "LSTMUnit": [("", [(1, 2, 3), (1, 2, 12), (1, 2)], 2)],
    "MaskPooling": [("", [(3, 4, 5, 2), (3, 1, 5, 2)], 1)],
    "MaskResize": [
        (f"mask_resize_param {{ output_height: {h} output_width: {w} }}", [(2, 1, 6, 5)], 1)
        for h, w in ((4, 3), (9, 11), (6, 5))
    ],
    "MVN": [
        (f"mvn_param {{ {text} }}", [shape], 1)
        for text in ("", "normalize_variance: false", "across_channels: true eps: 0.1")
        for shape in (IMAGE, (2, 3, 5))
    ],
    "Normalize": [
        (
            f"norm_param {{ across_spatial: {across} channel_shared: {shared} scale_filler {{ {RANDOM} }} }}",
            [shape],
            1,
        )
        for across in ("true", "false")
        for shared in ("true", "false")
        for shape in (IMAGE, ROWS)
    ]
    + [("", [IMAGE], 1)]
    + [(f'normalize_param {{ normalize_type: "{kind}" }}', [IMAGE], 1) for kind in ("L1", "L2")],
    "OneHot": [("one_hot_param { num_output: 6 }", [shape], 1) for shape in ((5,), (2, 3))],
    "Mul": [("", [IMAGE, other], 1) for other in (IMAGE, (4, 1, 1), (2, 1, 5, 1), ())]
    + [("mul_param { mul_shape: [4, 1, 1] }", [IMAGE], 1), ("", [ROWS], 1)],
    "Pad": [
        (f"pad_param {{ paddings: [{sides}] constant_values: {value} }}", [IMAGE], 1)
        for sides, value in (("0, 0, 0, 0, 1, 2, 3, 0", 1.5), ("1, 0, 0, 2, 0, 0, 0, 1", 0))
    ],
    "Parameter": [("parameter_param { shape { dim: 2 dim: 3 } }", [], 1)],
    "Permute": [
        ("permute_param { order: 0 order: 2 }", [IMAGE], 1),
        ("permute_param { order: 1 }", [ROWS], 1),
    ],
    "Pooling": [],  # below
    "Power": [
        (f"power_param {{ {text} }}", [IMAGE], 1)
        for text in (
            "",
            "power: 2",
            "power: 3 scale: 0.5 shift: 1",
            "scale: 2",
            "shift: -1",
            "scale: 0 shift: 3",
            "power: 0",
            "power: 0.5 shift: 9",
            "power: -1 shift: 9",
        )
    ],
    "PReLU": [
        ('prelu_param { filler { type: "gaussian" std: 1 } }', [shape], 1)
        for shape in (IMAGE, ROWS, (2, 4, 5), (2, 4, 2, 3, 2))
    ]
    + [("prelu_param { channel_shared: true }", [IMAGE], 1)],
    "PriorBox": [("prior_box_param { min_size: 3 max_size: 5 aspect_ratio: 2 }", [IMAGE, (2, 3, 10, 12)], 1)],
    "Reduction": [
        (f"reduction_param {{ operation: {operation} axis: {axis} coeff: {coeff} }}", [IMAGE], 1)
        for operation in ("SUM", "ASUM", "SUMSQ", "MEAN")
        for axis, coeff in ((0, 1), (1, 1), (-1, 0.5))
    ],
    "ReLU": [("", [IMAGE], 1), ("relu_param { negative_slope: 0.1 }", [IMAGE], 1)],
    "Reorg": [
        (f"reorg_param {{ stride: {s} reverse: {back} }}", [(2, 36, 6, 12)], 1)
        for s in (1, 2, 3)
        for back in ("true", "false")
    ],
    "Reshape": [
        (f"reshape_param {{ {text} }}", [IMAGE], 1)
        for text in (
            "shape { dim: 0 dim: -1 }",
            "shape { dim: 3 dim: 2 dim: 5 dim: 8 }",
            "axis: 1 num_axes: 1 shape { dim: 2 dim: 2 }",
            "axis: -1 shape { dim: 1 }",
        )
    ],
    "Reverse": [(f"reverse_param {{ {text} }}", [IMAGE], 1) for text in ("", "axis: 1", "axis: -1 axis: 0")],
    "Resample": [
        *[
            (f"resample_param {{ height: {h} width: {w} type: {kind} }}", [IMAGE], 1)
            for h, w, kind in ((9, 11, "LINEAR"), (2, 9, "CUBIC"), (3, 2, "NEAREST"))
        ],
        ("resample_param { antialias: false }", [IMAGE, (1, 7, 2, 2)], 1),
    ],
    "ResizeBilinear": [
        (f"resize_bilinear_param {{ output_height: {h} output_width: {w} {text} }}", [IMAGE], 1)
        for h, w in ((7, 9), (2, 3))
        for text in (
            "",
            'data_format: "NCHW" align_corners: true',
            'data_format: "NCHW" half_pixel_centers: true',
            "pytorch_half_pixel: true",
        )
    ],
    "ResizeNearestNeighbor": [
        (f"resize_nearest_neighbor_param {{ output_height: 7 output_width: 3 {text} }}", [IMAGE], 1)
        for text in ("", 'data_format: "NCHW" align_corners: true', "half_pixel_centers: true")
    ],
    "RNN": [
        (recurrent(""), [(4, 2, 5), (4, 2)], 1),
        (recurrent("expose_hidden: true"), [(4, 2, 5), (4, 2), (2, 2), (1, 2, 3)], 2),
    ],
    "ROIPooling": [
        (
            f"roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}",
            [(3, 2, 9, 7), rois],
            1,
        )
        for h, w, scale in ((2, 3, 1), (7, 7, 0.5))
        for rois in ((4, 5), (4, 5, 1, 1))
    ],
    "Scale": [
        (scaled(text), [IMAGE], 1)
        for text in ("", "bias_term: true", "axis: 1 num_axes: 2 bias_term: true", "num_axes: 0")
    ]
    + [
        (scaled("axis: 0 num_axes: -1 bias_term: true"), [IMAGE], 1),
        (scaled("axis: 0"), [IMAGE, (2,)], 1),
        (scaled("axis: 1 bias_term: true"), [IMAGE, (4, 5)], 1),
        (scaled(""), [IMAGE, ()], 1),
    ],
    "ShuffleChannel": [
        (f"shuffle_channel_param {{ group: {group} }}", [shape], 1)
        for group, shape in ((3, (2, 6, 5, 4)), (2, (2, 6)), (1, IMAGE), (4, (2, 4, 3)))
    ],
    "Sigmoid": [("", [IMAGE], 1)],
    "Silence": [],  # in test_onnx.py
    "Slice": [
        ("", [IMAGE], 2),
        ("slice_param { axis: -1 slice_point: 1 slice_point: 4 }", [IMAGE], 3),
        ("", [IMAGE], 1),
    ],
    "Softmax": [("", [IMAGE], 1), ("softmax_param { axis: -1 }", [ROWS], 1)],
    "Split": [("", [IMAGE], 3)],
    "SPP": [
        (f"spp_param {{ pyramid_height: {height} pool: {pool} }}", [(2, 3, 9, 7)], 1)
        for height in (1, 3)
        for pool in ("MAX", "AVE", "AVE_TF", "STOCHASTIC")
    ],
    "Squeeze": [(f"squeeze_param {{ {text} }}", [(2, 1, 3, 1)], 1) for text in ("", "axis: 1 axis: -1")],
    "Swish": [("", [IMAGE], 1), ("swish_param { beta: 2 }", [IMAGE], 1)],
    "TanH": [("", [IMAGE], 1)],
    "Threshold": [("threshold_param { threshold: 0.3 }", [IMAGE], 1)],
    "Tile": [
        ("tile_param { tiles: 3 }", [IMAGE], 1),
        ("tile_param { axis: -1 tiles: 2 }", [ROWS], 1),
        ("tile_param { tiles: 1 }", [ROWS], 1),
    ],
    "Unpooling": [
        ("unpooling_param { kernel_size: 2 stride: 2 unpool_size: 12 }", [IMAGE, IMAGE], 1),
        ("unpooling_param { kernel_size: 3 stride: 2 }", [IMAGE], 1),
        ("unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 10 unpool_w: 12 }", [IMAGE], 1),
    ],
    "Upsample": [
        ("upsample_param { scale: 2 pad_out_h: true }", [IMAGE, IMAGE], 1),
        ("upsample_param { scale: 3 }", [IMAGE], 1),
    ],
    "UpsampleDarknet": [("upsample_darknet_param { stride: 2 }", [IMAGE], 1)],
    "Transpose": [("transpose_param { dim: 0 dim: 2 dim: 3 dim: 1 }", [IMAGE], 1)],
}


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, cases in CASES.items() for case in cases], ids=str
)
def test_every_option(kind, case):
    report, _ = written(single(kind, *case))
    assert len(report.outputs) >= case[2]
    assert max(one.relative for one in report.outputs) < 1e-5


def test_no_rule_without_a_case():
    assert sorted([*CASES, *BOXES]) == sorted(RULES)


# -- geometries

extents, kernels, strides, pads = st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3)


@st.composite
def windows(draw, spatial):
    """One extent, kernel, stride and pad per axis."""
    return [draw(st.tuples(extents, kernels, strides, pads)) for _ in range(spatial)]


# What forks say of padding.
lopsided = st.sampled_from(["", "pad_b: 1", "pad_l: 2 pad_t: 1", "pad_l: 1 pad_r: 2", "pad_type: 1"])


@given(
    windows(2), st.sampled_from(["MAX", "AVE", "AVE_TF", "STOCHASTIC"]), st.sampled_from(["CEIL", "FLOOR"]),
    lopsided,
)  # fmt: skip
@example([(4, 3, 2, 1), (4, 3, 2, 1)], "AVE", "CEIL", "")  # an overhang beyond the padding
@example([(5, 2, 2, 1), (6, 3, 2, 1)], "MAX", "CEIL", "")  # a last window left out
@example([(5, 2, 2, 1), (4, 3, 2, 0)], "AVE", "CEIL", "")
@example([(7, 1, 3, 0), (7, 2, 4, 0)], "AVE", "FLOOR", "")  # rows left over
@example([(6, 3, 2, 0), (7, 3, 3, 0)], "AVE", "CEIL", "pad_l: 1 pad_b: 2")
@example([(4, 3, 2, 1), (4, 3, 2, 1)], "AVE_EXC_PAD", "CEIL", "")
@example([(6, 3, 2, 0), (7, 3, 3, 0)], "AVE", "CEIL", "pad_l: 1 pad_b: 2 avg_include_pad: false")
def test_pooling_by_planes(window, method, rounding, forked):
    (h, kh, sh, ph), (w, kw, sw, pw) = window
    text = f"kernel_h: {kh} kernel_w: {kw} stride_h: {sh} stride_w: {sw} pad_h: {ph} pad_w: {pw} {forked}"
    check_pooling(f"{text} pool: {method} round_mode: {rounding}", (2, 2, h, w))


@given(
    st.lists(extents, min_size=1, max_size=3), kernels, strides, pads, st.sampled_from(["MAX", "AVE"]),
    st.booleans(),
)  # fmt: skip
def test_pooling_by_axes(size, kernel, stride, pad, method, ceil):
    text = f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {'CEIL' if ceil else 'FLOOR'}"
    check_pooling(f"{text} pool: {method}", (2, 2, *size))


def check_pooling(text: str, shape: tuple[int, ...]) -> None:
    tops = ["y", "mask"] if "MAX" in text else ["y"]
    try:
        written(net(layer("Pooling", f"pooling_param {{ {text} }}", top=tops), x=shape))
    except (ShapeError, ValueError) as error:  # no such window; an export that failed is no ValueError
        assert "window" in str(error) or "pad must be less" in str(error)
        assume(False)


@pytest.mark.parametrize("method", ["MAX", "AVE", "AVE_EXC_PAD", "STOCHASTIC"])
def test_global_pooling(method):
    text = layer("Pooling", f"pooling_param {{ pool: {method} global_pooling: true }}")
    _, model = written(net(text, x=IMAGE))
    if method != "STOCHASTIC":
        assert operators(model)[0].startswith("Global")
    written(net(layer("Pooling", "pooling_param { global_pooling: true }", top=("y", "mask")), x=IMAGE))


@given(
    windows(2), st.integers(1, 2), st.sampled_from(["Convolution", "Deconvolution"]), st.sampled_from([1, 2]),
    lopsided,
)  # fmt: skip
def test_convolutions(window, dilation, kind, group, pads):
    (h, kh, sh, ph), (w, kw, sw, pw) = window
    text = f"kernel_h: {kh} kernel_w: {kw} stride_h: {sh} stride_w: {sw} pad_h: {ph} pad_w: {pw} {pads}"
    assume("pad_type" not in pads or kind == "Convolution")
    text += f" dilation: {dilation} group: {group} num_output: 4"
    try:
        written(net(layer(kind, conv(text)), x=(2, 2, h, w)))
    except ShapeError as error:
        assert "does not fit" in str(error) or "leaves nothing" in str(error)
        assume(False)


# -- what random numbers do not show


def test_the_last_of_equal_scores_is_first_as_in_caffe():
    scores = np.float32([[1, 3, 3, 0, 3], [2, 2, 2, 2, 2]])
    for text, wanted in (("top_k: 2", [[4, 2], [4, 3]]), ("", [[4], [4]])):
        _, model = written(net(layer("ArgMax", f"argmax_param {{ {text} }}"), x=(2, 5)))
        np.testing.assert_array_equal(computed(model, x=scores)[0][:, 0], wanted)


def test_a_mean_without_positive_elements_is_zero():
    _, model = written(
        net(layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"), x=(1, 1, 2, 3))
    )
    x = np.float32([[[[-1, -2, 4], [0, -3, 1]]]])
    np.testing.assert_allclose(computed(model, x=x)[0], [[[[0, 17 / 5]]]], rtol=1e-6)


def test_cont_starts_sequences_anew():
    _, model = written(net(layer("LSTM", recurrent(""), ["x", "cont"]), x=(4, 1, 2), cont=(4, 1)))
    x = np.float32([[1, 2], [3, 4], [1, 2], [3, 4]]).reshape(4, 1, 2)
    (h,) = computed(model, x=x, cont=np.float32([0, 1, 0, 1]).reshape(4, 1))
    np.testing.assert_array_equal(h[:2], h[2:])
    (carried,) = computed(model, x=x, cont=np.ones((4, 1), np.float32))
    assert np.abs(carried[2:] - h[2:]).max() > 1e-3


@pytest.mark.parametrize("x, cont", [((6, 3), (6,)), ((4, 1, 3), (4, 1)), ((4, 1, 3), None)])
def test_sequences_of_any_length(x, cont):
    """With cont of every step nothing of an Lstm depends on how many there are."""
    bottoms = {"x": x, "cont": cont} if cont else {"x": x}
    param = net(layer("Lstm", f"lstm_param {{ num_output: 2 {WEIGHTS} }}", list(bottoms)), **bottoms)
    if cont:
        written(param, free_batch=True)
        return
    with pytest.raises(NoEquivalent, match=r"the number of its steps is part of the file.*fixed batch"):
        written(param, free_batch=True)


def test_an_embedding_reads_through_reshapes():
    text = layer("Flatten", "", ["x"], ["flat"], "flat")
    text += layer("Embed", "embed_param { num_output: 2 input_dim: 3 }", ["flat"], ["y"])
    report, _ = written(net(text, x=(2, 2, 2)))
    assert report.outputs[0].shape == (2, 4, 2)


def test_dropout_that_trains_is_refused():
    with pytest.raises(
        NoEquivalent, match=r"layer 'layer' \(Dropout\): it drops at random.*remove its phase"
    ):
        written(net(layer("Dropout", "phase: TRAIN"), x=ROWS))


def test_regions_all_over_an_image_and_beside_it():
    """More of them than the proof makes up, some far outside; cells are empty."""
    param = net(layer("ROIPooling", roi_pooled(3, 2, 0.0625), ["x", "rois"]), x=(2, 3, 8, 9), rois=(40, 5))
    _, model = written(param)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 8, 9)).astype(np.float32)
    rois = np.concatenate([rng.integers(0, 2, (40, 1)), rng.uniform(-60, 200, (40, 4))], 1)
    (y,) = computed(model, x=x, rois=rois.astype(np.float32))
    ours = Net(param, phase="TEST")
    np.testing.assert_array_equal(ours.forward(x=x, rois=rois)["y"], y)
