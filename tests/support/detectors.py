"""Detectors that know red from green: weights made by hand, so that what they find is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

SSD = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }
  transform_param { mean_value: 127.5 scale: 0.0078125 } }
layer { name: "quarters" type: "Pooling" bottom: "data" top: "quarters"
  pooling_param { pool: AVE kernel_size: 4 stride: 4 } }
layer { name: "loc" type: "Convolution" bottom: "quarters" top: "loc"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "loc_perm" type: "Permute" bottom: "loc" top: "loc_perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "loc_flat" type: "Flatten" bottom: "loc_perm" top: "loc_flat" }
layer { name: "conf" type: "Convolution" bottom: "quarters" top: "conf"
  convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "conf_perm" type: "Permute" bottom: "conf" top: "conf_perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf_rows" type: "Reshape" bottom: "conf_perm" top: "conf_rows"
  reshape_param { shape { dim: 0 dim: -1 dim: 3 } } }
layer { name: "prob" type: "Softmax" bottom: "conf_rows" top: "prob" softmax_param { axis: 2 } }
layer { name: "prob_flat" type: "Flatten" bottom: "prob" top: "prob_flat" }
layer { name: "priors" type: "PriorBox" bottom: "quarters" bottom: "data" top: "priors"
  prior_box_param { min_size: 4 variance: 0.1 } }
layer { name: "detections" type: "DetectionOutput" bottom: "loc_flat" bottom: "prob_flat" bottom: "priors"
  top: "detections" detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 10
    share_location: true background_label_id: 0 confidence_threshold: 0.01
    nms_param { nms_threshold: 0.45 top_k: 10 } } }
"""

REGIONS = """
layer { name: "data" type: "Input" top: "data" top: "im_info"
  input_param { shape { dim: 1 dim: 3 dim: 10 dim: 10 } shape { dim: 1 dim: 3 } } }
layer { name: "proposals" type: "Parameter" top: "rois" parameter_param { shape { dim: 3 dim: 5 } } }
layer { name: "pool" type: "ROIPooling" bottom: "data" bottom: "rois" top: "pool"
  roi_pooling_param { pooled_h: 1 pooled_w: 1 } }
layer { name: "cls" type: "InnerProduct" bottom: "pool" top: "cls" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "cls" top: "cls_prob" }
layer { name: "box" type: "InnerProduct" bottom: "pool" top: "bbox_pred"
  inner_product_param { num_output: 12 } }
"""
YOLO = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }
  transform_param { mean_value: 127.5 scale: 0.0078125 } }
layer { name: "quarters" type: "Pooling" bottom: "data" top: "quarters"
  pooling_param { pool: AVE kernel_size: 4 stride: 4 } }
layer { name: "cells" type: "Convolution" bottom: "quarters" top: "cells"
  convolution_param { num_output: 7 kernel_size: 1 } }
layer { name: "detections" type: "YoloDetectionOutput" bottom: "cells" top: "detections"
  yolo_detection_output_param { num_classes: 2 num_box: 1 biases: 1 biases: 1 } }
"""

# What py-faster-rcnn's test nets are made of.
PROPOSING = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }
  transform_param { mean_value: 103 mean_value: 116 mean_value: 123 scale: 0.0078125 } }
layer { name: "im_info" type: "Input" top: "im_info" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 4 kernel_size: 16 stride: 16 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "rpn_cls_score" type: "Convolution" bottom: "conv" top: "rpn_cls_score" convolution_param {
  num_output: 18 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "rpn_bbox_pred" type: "Convolution" bottom: "conv" top: "rpn_bbox_pred" convolution_param {
  num_output: 36 kernel_size: 1 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "two" type: "Reshape" bottom: "rpn_cls_score" top: "two" reshape_param {
  shape { dim: 0 dim: 2 dim: -1 dim: 0 } } }
layer { name: "two_prob" type: "Softmax" bottom: "two" top: "two_prob" }
layer { name: "back" type: "Reshape" bottom: "two_prob" top: "prob" reshape_param {
  shape { dim: 0 dim: 18 dim: -1 dim: 0 } } }
layer { name: "proposal" type: "Python" bottom: "prob" bottom: "rpn_bbox_pred" bottom: "im_info" top: "rois"
  python_param { module: "rpn.proposal_layer" layer: "ProposalLayer"
    param_str: "'feat_stride': 16, 'scales': [1, 2, 4], 'RPN_POST_NMS_TOP_N': 20" } }
layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool" roi_pooling_param {
  pooled_w: 2 pooled_h: 2 spatial_scale: 0.0625 } }
layer { name: "cls_score" type: "InnerProduct" bottom: "pool" top: "cls_score" inner_product_param {
  num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "cls_prob" type: "Softmax" bottom: "cls_score" top: "cls_prob" }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "pool" top: "bbox_pred" inner_product_param {
  num_output: 12 weight_filler { type: "gaussian" std: 0.001 } } }
"""
# Of every class the factors of blue, green and red, which lie between -1 and 1, or 0 and 255 in REGIONS.
SCORES = np.float32([[0, 0, 0], [-4, -4, 8], [-4, 8, -4]])


def ssd(folder: Path, replaced: dict[str, str] | None = None) -> None:
    """Write ssd.prototxt and ssd.caffemodel: each quarter of the image is nothing, red or green.  Parts of
    the net's text may be replaced."""
    wanted = {"conf": [SCORES, np.float32([4, -4, -4])], "loc": [0, 0]}
    _write(folder / "ssd", SSD, wanted, replaced or {})


def regions(folder: Path, rois: np.ndarray, *, agnostic: bool = False) -> None:
    """Write regions.prototxt and its weights: `rois` are those of every image; boxes of class 1 move to the
    right by half their width and get twice as high; with `agnostic`, those of all classes."""
    moves = np.zeros((3, 4), np.float32)
    moves[1] = 0.5, 0, 0, np.log(2)
    moves = moves[:2] if agnostic else moves
    wanted = {
        "proposals": [rois],
        "cls": [SCORES / 64, np.float32([4, 0, 0])],
        "box": [0, moves],
    }
    _write(folder / "regions", REGIONS, wanted, {"num_output: 12": f"num_output: {moves.size}"})


def yolo(folder: Path) -> None:
    """Write yolo.prototxt and its weights: a cell is a thing if it is red or green, not blue or grey."""
    cells = np.zeros((7, 3), np.float32)
    cells[4] = -16, 8, 8  # of blue, green, red
    cells[5:] = SCORES[1:]
    _write(folder / "yolo", YOLO, {"cells": [cells, np.float32([0, 0, 0, 0, -8, 0, 0])]}, {})


def proposing(folder: Path) -> None:
    """Write proposing.prototxt and weights of a Faster R-CNN that has learned nothing."""
    _write(folder / "proposing", PROPOSING, {}, {})


def _write(path: Path, net: str, weights: dict, replaced: dict[str, str]) -> None:
    for old, new in replaced.items():
        assert old in net, old
        net = net.replace(old, new)
    path.with_suffix(".prototxt").write_text(net)
    built = Net(text.parse(net, NetParameter), phase="TEST", seed=1)
    for name, values in weights.items():
        for blob, value in zip(built.params[name], values):
            blob.data[...] = np.asarray(value, np.float32).reshape(np.shape(value) and blob.shape)
    built.save(str(path.with_suffix(".caffemodel")))


def photo(size: int = 16, **quarters: tuple[int, int, int]) -> np.ndarray:
    """A grey image (size, size, 3), red first; some quarters have a colour: upper_left=(255, 0, 0)."""
    image = np.full((size, size, 3), 128, np.uint8)
    half = size // 2
    for name, colour in quarters.items():
        y, x = half * name.startswith("lower"), half * name.endswith("right")
        image[y : y + half, x : x + half] = colour
    return image
