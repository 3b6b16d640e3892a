"""Whole nets of Caffe's forks beside OpenCV's DNN module, which reads the same files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from minicaffe.convert import bvlc
from minicaffe.inference import Detector
from minicaffe.net import Net
from minicaffe.net.weights import save
from minicaffe.proto import text, upgrade

from .support import detectors, opencv_nets

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: pip install opencv-python-headless")

TOLERANCE = 1e-4
ROIS = np.float32(  # image, x1, y1, x2, y2; some meet edges, one is all, one is small
    [
        [0, 3, 5, 30, 40],
        [0, 10, 2, 70, 60],
        [0, 0, 0, 79, 63],
        [0, 33, 20, 50, 45],
        [0, 60, 50, 79, 63],
        [0, 12, 13, 14, 15],
    ]
)


def images(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def both(
    folder: Path,
    layers: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    *,
    theirs: str = "",
    rewritten: bool = False,
    **filled: float,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outputs of a net of random weights, ours and OpenCV's.

    theirs     the net as OpenCV is to read it, where it understands something else
    rewritten  OpenCV reads net and weights in Caffe's layers, as far as `convert --to bvlc` finds them
    """
    prototxt, weights = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(layers)
    net = Net(prototxt, phase="TEST", seed=1)
    opencv_nets.fill(net, **filled)
    net.save(str(weights))
    net.forward(**inputs)
    prototxt.write_text(theirs or layers)
    if rewritten:
        param, stored = upgrade.read_net(prototxt), net.to_message()
        assert bvlc.rewrite(param)
        bvlc.rewrite(stored)
        prototxt.write_text(text.spell(param))
        save(stored, weights)
    other = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    for name, values in inputs.items():
        other.setInput(values, name)
    return [(net.blobs[name].data.copy(), got) for name, got in zip(outputs, other.forward(list(outputs)))]


def agree(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape
        assert np.abs(ours).max() > 0.01  # something was computed
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("layers", "size", "priors"),
    [(opencv_nets.ssd_vgg(), (64, 64), 368), (opencv_nets.ssd_mobilenet(), (80, 80), 1900)],
    ids=["vgg", "mobilenet"],
)
def test_ssd(layers, size, priors, tmp_path):
    """What boxes are made of, and the detections: classes, scores and boxes, in their order.  OpenCV has the
    classes in another order, and may leave rows of zeros at the end."""
    parts = ("mbox_loc", "mbox_conf_flatten", "mbox_priorbox", "detection_out")
    *pairs, (ours, theirs) = both(tmp_path, layers, {"data": images(1, 3, *size)}, parts)
    agree(pairs)
    assert pairs[-1][0].shape == (1, 2, 4 * priors)
    theirs = theirs.reshape(-1, 7)
    theirs = theirs[theirs[:, 2] > 0]
    theirs = theirs[np.argsort(theirs[:, 1], kind="stable")]
    ours = ours.reshape(-1, 7)
    assert len(ours) > 20 and len(set(ours[:, 1])) > 2
    np.testing.assert_array_equal(ours[:, :2], theirs[:, :2])
    np.testing.assert_allclose(ours[:, 2:], theirs[:, 2:], rtol=0, atol=TOLERANCE)


def test_enet(tmp_path):
    """Poolings that say where the highest values were, and what undoes them; dilations; split kernels."""
    ours, theirs = opencv_nets.small_enet(), opencv_nets.small_enet(theirs=True)
    outputs = ["bn0_1", "prelu2_3_4", "upsample4_0_4", "deconv6_0_0"]
    agree(both(tmp_path, ours, {"data": images(1, 3, 32, 64)}, outputs, theirs=theirs, gain=1))


def test_pspnet(tmp_path):
    """OpenCV cannot read BN: it gets BatchNorm and Scale."""
    inputs = {"data": images(1, 3, 65, 49)}
    agree(both(tmp_path, opencv_nets.pspnet(), inputs, ["pyramid", "scores"], rewritten=True))


def test_se_resnet(tmp_path):
    """OpenCV's Axpy has the factor for the third bottom, where Caffe's forks have it for the second, and
    takes one image; of Caffe's own layers in its place it takes any number."""
    ours, theirs = opencv_nets.se_resnet(), opencv_nets.se_resnet(exchanged=True)
    agree(both(tmp_path, ours, {"data": images(1, 3, 32, 32)}, ["pool5", "prob"], theirs=theirs))
    agree(both(tmp_path, ours, {"data": images(2, 3, 32, 32)}, ["pool5", "prob"], rewritten=True))


def test_shufflenet(tmp_path):
    agree(both(tmp_path, opencv_nets.shufflenet(), {"data": images(2, 3, 32, 32)}, ["pool5", "prob"]))


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [("faster_rcnn", ["roi_pool", "cls_prob", "bbox_pred"]), ("rfcn", ["cls_prob", "bbox_score"])],
)
def test_regions(kind, outputs, tmp_path):
    """What is computed of regions, once these are proposed: OpenCV proposes others."""
    inputs = {"data": images(1, 3, 64, 80), "rois": ROIS}
    agree(both(tmp_path, opencv_nets.regions(kind), inputs, outputs))


def test_the_detector_finds_what_opencv_finds(tmp_path):
    """From a picture in the net's size on: mean, scale, and boxes in pixels of the picture."""
    detectors.ssd(tmp_path)
    photo = detectors.photo(32, upper_left=(255, 0, 0), lower_right=(0, 255, 0))[:28, :, ::-1]
    pixels = np.ascontiguousarray(photo.transpose(2, 0, 1))
    found = Detector(tmp_path / "ssd.prototxt", tmp_path / "ssd.caffemodel")
    things = found.detect(pixels).things
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "ssd.prototxt"), str(tmp_path / "ssd.caffemodel"))
    small = np.ascontiguousarray(found.fitted(pixels)[0].transpose(1, 2, 0))
    net.setInput(cv2.dnn.blobFromImage(small, 1 / 128, mean=(127.5, 127.5, 127.5)))
    rows = net.forward().reshape(-1, 7)
    rows = rows[rows[:, 2] >= 0.5]
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    assert [thing.number for thing in things] == rows[:, 1].astype(int).tolist()
    assert {thing.number for thing in things} == {1, 2}
    for thing, row in zip(things, rows):
        assert thing.score == pytest.approx(row[2], abs=TOLERANCE)
        np.testing.assert_allclose(thing.box, (32, 28, 32, 28) * row[3:], atol=32 * TOLERANCE)
