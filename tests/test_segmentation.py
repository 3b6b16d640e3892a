"""A small SegNet, with all that such nets need: it learns, is checked, and is deployed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minicaffe.checking.check import check
from minicaffe.convert.deploy import Deployment
from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.solver import Solver

NET = """
layer { name: "data" type: "DenseImageData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mean_value: 128 scale: 0.01 }
  dense_image_data_param { source: "LIST" batch_size: 4 shuffle: true mirror: true
    crop_height: 15 crop_width: 16 } }
layer { name: "data" type: "ImageSegData" top: "data" top: "label" top: "size" include { phase: TEST }
  transform_param { mean_value: 128 scale: 0.01 crop_height: 19 crop_width: 18 }
  image_data_param { source: "LIST" batch_size: 4 label_type: PIXEL ignore_label: 11 } }
layer { name: "silence" type: "Silence" bottom: "size" include { phase: TEST } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn1" type: "BN" bottom: "conv1" top: "conv1" bn_param {
  scale_filler { value: 1 } shift_filler { value: 0.001 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "mask" pooling_param {
  kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn2" type: "BN" bottom: "conv2" top: "conv2" bn_param { momentum: 0.5 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "up" type: "Upsample" bottom: "conv2" bottom: "mask" top: "up" upsample_param {
  scale: 2 pad_out_h: true } }
layer { name: "scores" type: "Convolution" bottom: "up" top: "scores" convolution_param {
  num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" loss_param {
  ignore_label: 11 weight_by_label_freqs: true class_weighting: [0.5, 1, 2] } }
layer { name: "accuracy" type: "SegAccuracy" bottom: "scores" bottom: "label" top: "accuracy"
  include { phase: TEST } seg_accuracy_param { ignore_label: 11 } }
"""


def described(folder) -> NetParameter:
    """In TRAIN 15 rows become 8 and are 15 again; in TEST images are filled up to 19 rows and 18 columns."""
    return text.parse(NET.replace("LIST", f"{folder}/list"), NetParameter)


@pytest.fixture
def folder(tmp_path):
    """Images of noise with a bright block and a dark one, and which pixels are of which."""
    random, lines = np.random.default_rng(0), []
    for i in range(8):
        image, label = random.integers(90, 160, (18, 16, 3)), np.zeros((18, 16), np.uint8)
        for kind, value in ((1, 250), (2, 10)):
            top, left = random.integers(0, 12), random.integers(0, 8)
            image[top : top + 6, left : left + 8], label[top : top + 6, left : left + 8] = value, kind
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{i}.png")
        Image.fromarray(label).save(tmp_path / f"{i}l.png")
        lines.append(f"{tmp_path}/{i}.png {tmp_path}/{i}l.png\n")
    (tmp_path / "list").write_text("".join(lines))
    return tmp_path


def test_a_segnet_learns(folder):
    param = SolverParameter(base_lr=0.05, momentum=0.9, lr_policy="fixed", max_iter=60, random_seed=1)
    param.net_param.CopyFrom(described(folder))
    solver = Solver.create(param, device=CpuDevice(np.float32))
    losses = []
    for _ in range(6):
        solver.step(10)
        losses.append(float(solver.net.blobs["loss"].data))
    assert losses[-1] < losses[0] / 2
    test = Net(described(folder), phase="TEST", forward_only=True, share=solver.net, device=solver.device)
    pixels, recall, union = test.forward()["accuracy"].ravel()
    assert pixels > 0.9 and recall > 0.9 and union > 0.7


def test_it_is_checked_and_deployed(folder):
    (folder / "net.prototxt").write_text(NET.replace("LIST", f"{folder}/list"))
    report = check(str(folder / "net.prototxt"))
    assert {finding.rule for finding in report.findings} <= {"extension"}, report.findings
    deployment = Deployment(folder / "net.prototxt", written=True)
    types = [layer.type for layer in deployment.param.layer]
    assert types[0] == "Input" and types[-1] == "Softmax" and "SegAccuracy" not in types
    made = Net(deployment.param, phase="TEST", forward_only=True, keep="needed")
    assert made.blobs["data"].shape[1:] == (3, 19, 18)
    steps = [str(step) for step in made.program.steps]
    assert "conv2 + bn2" in " ".join(steps), "the running moments are the convolution's business"
