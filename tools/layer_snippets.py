"""One small use of every layer type, for the layer reference: run to find out the shapes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

Shapes = dict[str, tuple[int, ...]]


class Snippet(NamedTuple):
    """What a layer is fed and what its prototxt says beside name, type, bottoms and tops."""

    bottoms: Shapes
    settings: str = ""
    tops: tuple[str, ...] = ("y",)


IMAGES = {"x": (2, 4, 6, 6)}
ROWS = {"x": (2, 3)}
SCORES = {"scores": (4, 3), "label": (4,)}
FILL = 'weight_filler { type: "xavier" }'
SEQUENCE = {"x": (5, 2, 3), "cont": (5, 2)}
RECURRENT = f"recurrent_param {{ num_output: 4 {FILL} }}"

SNIPPETS = {
    "Accuracy": Snippet(SCORES, "accuracy_param { top_k: 2 }"),
    "AnnotatedData": Snippet(
        {},
        'data_param { source: "pets/train" backend: VOC batch_size: 2 }'
        " transform_param { resize_param { height: 8 width: 8 } }",
        ("data", "label"),
    ),
    "ArgMax": Snippet(ROWS, "argmax_param { axis: 1 top_k: 2 }"),
    "Add": Snippet({"a": (2, 4, 6, 6), "b": (4, 1, 1)}),
    "Axpy": Snippet({"a": (2, 4), "x": (2, 4, 6, 6), "b": (2, 4, 6, 6)}),
    "BatchNorm": Snippet(IMAGES),
    "BatchReindex": Snippet({"x": (5, 3), "picks": (2,)}),
    "Bias": Snippet(IMAGES, "bias_param { filler { value: 1 } }"),
    "BN": Snippet(IMAGES, "bn_param { slope_filler { value: 1 } momentum: 0.95 }"),
    "BoxAnnotatorOHEM": Snippet(
        {"rois": (6, 5), "losses": (6,), "labels": (6,), "weights": (6, 8)},
        "box_annotator_ohem_param { roi_per_img: 2 }",
        ("hard_labels", "hard_weights"),
    ),
    "Clip": Snippet(ROWS, "clip_param { min: -1 max: 1 }"),
    "ChannelScale": Snippet({"x": (2, 4, 6, 6), "norms": (2, 1, 6, 6)}),
    "Concat": Snippet({"a": (2, 3), "b": (2, 5)}, "concat_param { axis: 1 }"),
    "ContinuationIndicator": Snippet(
        {}, "continuation_indicator_param { time_step: 5 batch_size: 2 }", ("cont",)
    ),
    "ContrastiveLoss": Snippet(
        {"a": (4, 2), "b": (4, 2), "same": (4,)}, "contrastive_loss_param { margin: 1 }", ("loss",)
    ),
    "Convolution": Snippet(
        IMAGES, f"convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 group: 2 {FILL} }}"
    ),
    "CenterLoss": Snippet(SCORES, 'center_loss_param { num_output: 10 center_filler { type: "xavier" } }'),
    "Correlation": Snippet(
        {"a": (2, 4, 6, 6), "b": (2, 4, 6, 6)},
        "correlation_param { kernel_size: 1 max_displacement: 2 pad: 2 }",
    ),
    "Crop": Snippet({"x": (2, 4, 6, 6), "size": (2, 4, 3, 3)}, "crop_param { axis: 2 offset: 1 }"),
    "CTCGreedyDecoder": Snippet({"x": (10, 2, 5)}, "ctc_decoder_param { blank_index: 4 }", ("line",)),
    "CtcLoss": Snippet(
        {"x": (10, 2, 5), "line": (2, 4)},
        "ctc_loss_param { alphabet_size: 5 time_step: 10 blank_label: 4 }",
        ("loss",),
    ),
    "Data": Snippet(
        {},
        'transform_param { scale: 0.0625 } data_param { source: "digits/test" backend: IDX batch_size: 4 }',
        ("data", "label"),
    ),
    "Deconvolution": Snippet(
        IMAGES,
        "convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false\n"
        '    weight_filler { type: "bilinear" } }',
    ),
    "DetectionEvaluate": Snippet(
        {"found": (1, 1, 5, 7), "objects": (1, 1, 3, 8)},
        "detection_evaluate_param { num_classes: 3 background_label_id: 2 }",
    ),
    "DenseBlock": Snippet(
        IMAGES,
        "denseblock_param { numTransition: 3 growthRate: 2\n"
        '    Filter_Filler { type: "msra" } BN_Scaler_Filler { value: 1 } BN_Bias_Filler { value: 0 } }',
    ),
    "DenseImageData": Snippet(
        {}, 'dense_image_data_param { source: "pairs.txt" batch_size: 1 shuffle: true }', ("data", "label")
    ),
    "DetectionOutput": Snippet(
        {"offsets": (1, 32), "scores": (1, 24), "priors": (1, 2, 32)},
        "detection_output_param { num_classes: 3 code_type: CENTER_SIZE nms_param { top_k: 5 } }",
    ),
    "Dropout": Snippet(ROWS, "dropout_param { dropout_ratio: 0.4 }"),
    "DummyData": Snippet(
        {},
        'dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } }',
        ("data",),
    ),
    "Eltwise": Snippet({"a": (2, 3), "b": (2, 3)}, "eltwise_param { operation: SUM coeff: 1 coeff: -1 }"),
    "ELU": Snippet(ROWS, "elu_param { alpha: 0.5 }"),
    "Embed": Snippet({"word": (2, 5)}, f"embed_param {{ input_dim: 100 num_output: 8 {FILL} }}"),
    "EuclideanLoss": Snippet({"a": (2, 3), "b": (2, 3)}, "", ("loss",)),
    "EvalDetection": Snippet(
        {"x": (1, 16, 7, 7), "objects": (1, 1, 3, 8)},
        "eval_detection_param { num_class: 3 biases: 1 biases: 2 biases: 3 biases: 2 nms: 0.5 }",
        ("judged",),
    ),
    "Exp": Snippet(ROWS, "exp_param { base: 2 }"),
    "Filter": Snippet({"x": (4, 3), "selector": (4,)}),
    "Flatten": Snippet(IMAGES),
    "Flip": Snippet(IMAGES, "flip_param { flip_height: true }"),
    "FlowWarp": Snippet({"x": (2, 3, 6, 6), "flow": (2, 2, 6, 6)}),
    "HashingLoss": Snippet({"codes": (4, 8), "label": (4,)}, "hashing_loss_param { bi_margin: 16 }"),
    "HDF5Data": Snippet({}, 'hdf5_data_param { source: "files.txt" batch_size: 2 }', ("data", "label")),
    "HDF5Output": Snippet({"data": (2, 3), "label": (2,)}, 'hdf5_output_param { file_name: "out.h5" }', ()),
    "HingeLoss": Snippet(SCORES, "hinge_loss_param { norm: L2 }", ("loss",)),
    "Im2col": Snippet(IMAGES, "convolution_param { kernel_size: 3 stride: 2 }"),
    "ImageData": Snippet(
        {},
        'image_data_param { source: "images.txt" batch_size: 2 new_height: 8 new_width: 8 }',
        ("data", "label"),
    ),
    "ImageLabelmapData": Snippet(
        {}, 'image_data_param { source: "pairs.txt" batch_size: 1 }', ("data", "label")
    ),
    "ImageSegData": Snippet(
        {},
        'transform_param { crop_size: 16 } image_data_param { source: "pairs.txt" batch_size: 2'
        " label_type: PIXEL }",
        ("data", "label", "size"),
    ),
    "InfogainLoss": Snippet(SCORES, 'infogain_loss_param { source: "infogain.binaryproto" }', ("loss",)),
    "InnerDistance": Snippet(ROWS, f"inner_distance_param {{ num_output: 4 {FILL} }}"),
    "InnerProduct": Snippet(IMAGES, f"inner_product_param {{ num_output: 10 {FILL} }}"),
    "Input": Snippet({}, "input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }", ("data",)),
    "Interp": Snippet(IMAGES, "interp_param { zoom_factor: 8 }"),
    "LabelsequenceAccuracy": Snippet(
        {"x": (2, 10, 5), "line": (2, 4)}, "labelsequence_accuracy_param { blank_label: 4 }", ("accuracy",)
    ),
    "L1Loss": Snippet({"x": (2, 4, 6, 6), "target": (2, 4, 6, 6)}),
    "LabelSpecificAdd": Snippet(SCORES, "label_specific_add_param { bias: -0.35 }"),
    "LabelSpecificRescale": Snippet(SCORES, "label_specific_rescale_param { positive_weight: 0.5 }"),
    "Log": Snippet(ROWS, "log_param { shift: 2 }"),
    "LRN": Snippet(IMAGES, "lrn_param { local_size: 3 alpha: 0.0001 beta: 0.75 }"),
    "LSTM": Snippet(SEQUENCE, RECURRENT, ("h",)),
    "Lstm": Snippet({"x": (5, 2, 3)}, f"lstm_param {{ num_output: 4 {FILL} }}", ("h",)),
    "LSTMUnit": Snippet({"c_before": (1, 2, 4), "gates": (1, 2, 16), "cont": (1, 2)}, "", ("c", "h")),
    "MaskPooling": Snippet({"x": (3, 4, 7, 7), "mask": (3, 1, 7, 7)}),
    "MaskResize": Snippet({"x": (3, 1, 21, 21)}, "mask_resize_param { output_height: 14 output_width: 14 }"),
    "MarginInnerProduct": Snippet(
        SCORES, f"margin_inner_product_param {{ num_output: 10 type: QUADRUPLE {FILL} }}"
    ),
    "MemoryData": Snippet(
        {}, "memory_data_param { batch_size: 2 channels: 1 height: 4 width: 4 }", ("data", "label")
    ),
    "MultiBoxLoss": Snippet(
        {"offsets": (2, 32), "scores": (2, 24), "priors": (1, 2, 32), "objects": (1, 1, 3, 8)},
        "multibox_loss_param { num_classes: 3 background_label_id: 2 code_type: CENTER_SIZE }",
        ("loss",),
    ),
    "Mul": Snippet({"a": (2, 4, 6, 6), "b": (4, 1, 1)}),
    "MultinomialLogisticLoss": Snippet({"prob": (4, 3), "label": (4,)}, "", ("loss",)),
    "MVN": Snippet(IMAGES, "mvn_param { across_channels: true }"),
    "Normalize": Snippet(
        IMAGES, "norm_param { across_spatial: false channel_shared: false scale_filler { value: 20 } }"
    ),
    "OneHot": Snippet({"label": (4,)}, "one_hot_param { num_output: 10 }"),
    "Pad": Snippet(IMAGES, "pad_param { paddings: [0, 0, 0, 0, 1, 1, 2, 2] }"),
    "Parameter": Snippet({}, "parameter_param { shape { dim: 2 dim: 3 } }", ("w",)),
    "Permute": Snippet(IMAGES, "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "Pooling": Snippet(IMAGES, "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"),
    "Power": Snippet(ROWS, "power_param { power: 2 scale: 0.5 shift: 1 }"),
    "PReLU": Snippet(IMAGES, "prelu_param { filler { value: 0.1 } }"),
    "PriorBox": Snippet(
        {"x": (2, 4, 3, 3), "image": (2, 3, 24, 24)}, "prior_box_param { min_size: 8 aspect_ratio: 2 }"
    ),
    "Proposal": Snippet(
        {"prob": (1, 4, 3, 3), "deltas": (1, 8, 3, 3), "info": (1, 4)},
        "proposal_param { ratio: 0.5 ratio: 1 scale: 8 }",
        ("rois", "scores"),
    ),
    "PSROIPooling": Snippet(
        {"x": (2, 18, 6, 6), "rois": (3, 5)},
        "psroi_pooling_param { spatial_scale: 0.0625 output_dim: 2 group_size: 3 }",
    ),
    "Python": Snippet(ROWS, 'python_param { module: "twice" layer: "Twice" }'),
    "Reduction": Snippet(IMAGES, "reduction_param { operation: MEAN axis: 1 }"),
    "RegionLoss": Snippet(
        {"x": (2, 16, 4, 4), "objects": (2, 15)},
        "region_loss_param { num_class: 3 num: 2 biases: 1 biases: 2 biases: 3 biases: 2 }",
        ("loss",),
    ),
    "ReLU": Snippet(ROWS, "relu_param { negative_slope: 0.1 }"),
    "Reorg": Snippet(IMAGES, "reorg_param { stride: 2 }"),
    "Reshape": Snippet(IMAGES, "reshape_param { shape { dim: 0 dim: -1 dim: 12 } }"),
    "Reverse": Snippet({"x": (5, 2, 3)}, "reverse_param { axis: 0 }"),
    "Resample": Snippet(IMAGES, "resample_param { height: 9 width: 9 type: CUBIC }"),
    "ResizeBilinear": Snippet(
        IMAGES, 'resize_bilinear_param { scale_height: 2 scale_width: 2 data_format: "NCHW" }'
    ),
    "ResizeNearestNeighbor": Snippet(
        IMAGES, 'resize_nearest_neighbor_param { output_height: 9 output_width: 9 data_format: "NCHW" }'
    ),
    "RNN": Snippet(SEQUENCE, RECURRENT, ("o",)),
    "ROIPooling": Snippet(
        {"x": (2, 4, 6, 6), "rois": (3, 5)},
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 }",
    ),
    "ROIWarping": Snippet(
        {"x": (2, 4, 6, 6), "rois": (3, 5)},
        "roi_warping_param { pooled_h: 3 pooled_w: 3 spatial_scale: 0.0625 }",
    ),
    "Scale": Snippet(IMAGES, "scale_param { bias_term: true }"),
    "SegAccuracy": Snippet(
        {"scores": (2, 3, 4, 4), "label": (2, 1, 4, 4)}, "seg_accuracy_param { ignore_label: 255 }"
    ),
    "ShuffleChannel": Snippet(IMAGES, "shuffle_channel_param { group: 2 }"),
    "SigmoidCrossEntropyBalanceLoss": Snippet({"x": (2, 1, 6, 6), "target": (2, 1, 6, 6)}, "", ("loss",)),
    "SigmoidCrossEntropyLoss": Snippet({"scores": (4, 3), "target": (4, 3)}, "", ("loss",)),
    "Silence": Snippet(ROWS, "", ()),
    "Slice": Snippet({"x": (2, 5)}, "slice_param { axis: 1 slice_point: 2 }", ("a", "b")),
    "SmoothL1Loss": Snippet(
        {"x": (2, 8), "t": (2, 8), "inside": (2, 8), "outside": (2, 8)},
        "loss_weight: 1 smooth_l1_loss_param { sigma: 3 }",
        ("loss",),
    ),
    "SmoothL1LossOHEM": Snippet(
        {"x": (4, 8, 1, 1), "t": (4, 8, 1, 1), "weights": (4, 8, 1, 1)},
        "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 128 }",
        ("loss", "each"),
    ),
    "SoftmaxWithLoss": Snippet(SCORES, "loss_param { ignore_label: 2 }", ("loss",)),
    "SoftmaxWithLossOHEM": Snippet(
        SCORES, "loss_weight: 1 loss_weight: 0 loss_weight: 0", ("loss", "p", "each")
    ),
    "Split": Snippet(ROWS, "", ("a", "b")),
    "SPP": Snippet({"x": (2, 4, 8, 8)}, "spp_param { pyramid_height: 3 }"),
    "Squeeze": Snippet({"x": (2, 1, 3, 1)}),
    "Swish": Snippet(ROWS, "swish_param { beta: 1.5 }"),
    "Threshold": Snippet(ROWS, "threshold_param { threshold: 0.5 }"),
    "Tile": Snippet(ROWS, "tile_param { axis: 1 tiles: 2 }"),
    "Unpooling": Snippet(IMAGES, "unpooling_param { unpool: AVE kernel_size: 2 stride: 2 }"),
    "Upsample": Snippet(
        {"x": (2, 4, 3, 3), "mask": (2, 4, 3, 3)}, "upsample_param { scale: 2 pad_out_h: true }"
    ),
    "UpsampleDarknet": Snippet(IMAGES, "upsample_darknet_param { stride: 2 }"),
    "Transpose": Snippet(IMAGES, "transpose_param { dim: 3 dim: 0 dim: 1 dim: 2 }"),
    "VideoData": Snippet(
        {},
        "transform_param { crop_size: 4 }\n"
        '  video_data_param { source: "videos.txt" batch_size: 2 num_segments: 3 modality: RGB }',
        ("data", "label"),
    ),
    "WarpCTCLoss": Snippet({"x": (10, 2, 5), "line": (2, 4)}, "ctc_loss_param { blank_index: 4 }", ("loss",)),
    "WindowData": Snippet(
        {},
        'transform_param { crop_size: 4 } window_data_param { source: "windows.txt" batch_size: 4 }',
        ("data", "label"),
    ),
    "YoloDetectionOutput": Snippet(
        {"x": (1, 16, 4, 4)},
        "yolo_detection_output_param { num_classes: 3 num_box: 2 biases: 1 biases: 2 biases: 3 biases: 2 }",
        ("found",),
    ),
    "Yolov3DetectionOutput": Snippet(
        {"coarse": (1, 8, 4, 4), "fine": (1, 8, 8, 8)},
        "yolov3_detection_output_param { num_classes: 3 num_box: 1 mask: 1 mask: 0 anchors_scale: 32\n"
        "    anchors_scale: 16 biases: 10 biases: 14 biases: 80 biases: 60 }",
        ("found",),
    ),
}


def snippet_of(kind: str) -> Snippet:
    """How a type is used: as SNIPPETS say, else with one bottom, one top and no settings."""
    return SNIPPETS.get(kind, Snippet(ROWS))


def layer_line(kind: str) -> str:
    """The layer of a snippet as prototxt, on lines of readable length."""
    snippet = snippet_of(kind)
    words = [f'name: "{kind.lower()}"', f'type: "{kind}"']
    words += [f'bottom: "{name}"' for name in snippet.bottoms] + [f'top: "{name}"' for name in snippet.tops]
    head = "layer { " + " ".join(words)
    if len(head) > 116:
        head = f"layer {{ {' '.join(words[:2])}\n  {' '.join(words[2:])}"
    if not snippet.settings:
        return head + " }"
    one_line = f"{head} {snippet.settings} }}"
    return one_line if len(one_line) <= 100 else f"{head}\n  {snippet.settings} }}"


def prototxt(kind: str) -> str:
    """The whole net of a snippet: Input layers and the layer."""
    lines = []
    for name, shape in snippet_of(kind).bottoms.items():
        dims = " ".join(f"dim: {d}" for d in shape)
        lines.append(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        )
    return "\n".join([*lines, layer_line(kind), ""])


@contextlib.contextmanager
def files() -> Iterator[None]:
    """A working folder with the files that snippets name."""
    import sys

    import h5py
    from PIL import Image

    from minicaffe.proto import binary

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        try:
            with h5py.File("rows.h5", "w") as file:
                file["data"], file["label"] = np.ones((4, 3), np.float32), np.arange(4, dtype=np.float32)
            Path("files.txt").write_text("rows.h5\n")
            Image.fromarray(np.full((10, 12, 3), 128, np.uint8)).save("one.png")
            Path("images.txt").write_text("one.png 0\none.png 1\n")
            Path("waving").mkdir()
            for number in range(1, 10):
                Image.fromarray(np.full((6, 8, 3), 128, np.uint8)).save(f"waving/image_{number:04}.jpg")
            Path("videos.txt").write_text("waving 9 0\nwaving 9 0\n")
            Path("pairs.txt").write_text("one.png one.png\n")
            Path("windows.txt").write_text("# 0\none.png\n3\n10\n12\n2\n1 0.9 1 1 8 8\n1 0.1 0 0 3 3\n")
            Path("infogain.binaryproto").write_bytes(binary.from_array(np.eye(3)).SerializeToString())
            _pets(Path("pets"))
            Path("twice.py").write_text(TWICE)
            yield
        finally:
            sys.path.remove(folder)
            os.chdir(here)


def _pets(folder: Path) -> None:
    """A VOC folder of two images with a cat each."""
    from PIL import Image

    from minicaffe.data.detection import boxes, label_map, voc

    for name in (voc.IMAGES, voc.ANNOTATIONS, f"{voc.SETS}/Main"):
        (folder / name).mkdir(parents=True)
    (folder / voc.SETS / "Main" / "train.txt").write_text("1\n2\n")
    (folder / label_map.FILE).write_text(label_map.spelled(["cat"]))
    cat = voc.spelled("1.png", (10, 12), boxes.marked([[0.25, 0.2, 0.75, 0.6]], [1]), ["", "cat"])
    for name in ("1", "2"):
        Image.fromarray(np.full((10, 12, 3), 128, np.uint8)).save(folder / voc.IMAGES / f"{name}.png")
        (folder / voc.ANNOTATIONS / f"{name}.xml").write_bytes(cat)


TWICE = """import caffe


class Twice(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2 * top[0].diff
"""
