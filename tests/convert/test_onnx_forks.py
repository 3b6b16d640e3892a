"""Every well-known model of Caffe's forks whose layers are here, narrow: it runs forward, and onnxruntime
computes the same from its ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.convert.onnx import export
from minicaffe.net import Net

from ..support import known_nets, opencv_nets
from ..support.running import PROTOTXT
from ..test_fork_nets import NETS, run
from .exporting import computed, onnx

GOLDEN = {
    path.stem: path for path in NETS if path.stem in ("densenet_floor", "segnet", "ssd_mobilenet_relu6")
}
# Model -> the net that stands for it, and the gain of its weights (opencv_nets.fill).
MODELS = {
    "SSD on VGG, TextBoxes++": (opencv_nets.ssd_vgg(), 2),
    "SSD on MobileNet, OpenCV's face detector": (opencv_nets.ssd_mobilenet(), 2),
    "Faster R-CNN": (known_nets.faster_rcnn(), 2),
    "Fast R-CNN": (opencv_nets.regions("faster_rcnn"), 2),
    "R-FCN": (known_nets.rfcn(), 2),
    "PVANet": (known_nets.pvanet(), 2),
    "YOLOv2": (known_nets.yolov2(), 1),
    "YOLOv3-tiny": (known_nets.yolov3_tiny(), 1),
    "PSPNet, ICNet, DenseReg": (opencv_nets.pspnet(), 2),
    "ENet": (opencv_nets.small_enet(), 1),
    "DeconvNet": (known_nets.deconvnet(), 2),
    "FCN, HED, OSVOS": (known_nets.fcn(), 2),
    "SENet": (opencv_nets.se_resnet(), 1),
    "ShuffleNet": (opencv_nets.shufflenet(), 2),
    "MobileNet-v2, MnasNet": (known_nets.mobilenet_v2(), 1),
    "MobileNet-v3": (known_nets.mobilenet_v3(), 2),
    "C3D": (known_nets.c3d(), 2),
    "SphereFace, NormFace": (known_nets.sphereface(), 1),
    "CRNN, caffe_ocr": (known_nets.crnn(), 2),
    "FlowNet": (known_nets.flownet_c(), 2),
}
FOUND = {"SSD": "detection_out", "Faster": "cls_prob", "R-FCN": "cls_prob", "PVANet": "rois", "YOLO": "found"}


def check(net: Net, path: Path | str, folder: Path, **options) -> dict[str, np.ndarray]:
    """The outputs of a net, after its export has proven itself and onnxruntime has given the same."""
    weights, out = folder / "net.caffemodel", folder / "net.onnx"
    net.save(str(weights))
    report = export(path, weights, out, **options)
    assert max(one.relative for one in report.outputs) < 1e-4
    rng = np.random.default_rng(3)
    model = onnx.load(out)
    inputs = {}
    for one in model.graph.input:
        shape = net.blobs[one.name].shape
        inputs[one.name] = rng.standard_normal(shape).astype(np.float32)
        if one.name == "im_info":
            inputs[one.name] = np.float32([[*net.blobs["data"].shape[2:], 1, 1][: shape[1]]])
        if one.name == "rois":
            corners = np.sort(rng.uniform(0, 60, (shape[0], 2, 2)), axis=1).reshape(-1, 4)
            inputs[one.name] = np.insert(corners, 0, 0, axis=1).astype(np.float32)
    ours = net.forward(**inputs)
    for value, theirs in zip(model.graph.output, computed(model, **inputs)):
        name = value.name
        assert ours[name].shape == theirs.shape
        scale = max(1, np.abs(ours[name]).max())
        theirs = ours_first(ours[name], theirs) if ours[name].shape[-1] == 7 else theirs
        np.testing.assert_allclose(theirs, ours[name], rtol=1e-4, atol=1e-4 * scale, err_msg=name)
    return ours


def ours_first(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Their detections, but where scores are equal but for rounding in our order: there each engine has its
    own."""
    mine, rows = ours.reshape(-1, 7), list(theirs.reshape(-1, 7))
    order = []
    for row in mine:
        tied = [i for i, other in enumerate(rows) if abs(other[2] - row[2]) < 1e-6]
        order.append(rows.pop(min(tied, key=lambda i: np.abs(rows[i] - row).max()) if tied else 0))
    return np.stack(order).reshape(ours.shape)


@pytest.mark.parametrize("name", MODELS)
def test_a_well_known_model(name, tmp_path):
    text, gain = MODELS[name]
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    net = Net(path, phase="TEST", seed=1, forward_only=True)
    opencv_nets.fill(net, gain)
    found = check(net, path, tmp_path)
    for start, output in FOUND.items():
        if name.startswith(start):
            rows = found[output] if output in found else net.blobs[output].data
            assert rows.size // rows.shape[-1] > 2  # boxes were found


@pytest.mark.parametrize("name", GOLDEN)
def test_a_recorded_net(name, tmp_path):
    """DenseNet, SegNet, and SSD with ReLU6, with the weights that they were recorded with."""
    net, _ = run(np.load(GOLDEN[name]))
    check(net, net.param, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "digits_detection/deploy",
        pytest.param("mobilenet_ssd/deploy", marks=pytest.mark.slow),
        pytest.param("mobilenet_ssd/deploy_bn", marks=pytest.mark.slow),
    ],
)
def test_the_detectors_of_the_zoo(name, tmp_path):
    path = PROTOTXT / f"{name}.prototxt"
    net = Net(path, phase="TEST", seed=1, forward_only=True)
    opencv_nets.fill(net)
    found = check(net, path, tmp_path, free_batch=True)
    assert found[net.outputs[0]].shape[2] > 2
