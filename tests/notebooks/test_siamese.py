"""mnist_siamese: pairs through two nets with shared parameters; digits become places in the plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minicaffe.pycaffe as caffe

from ..support.running import PROTOTXT
from . import digits


def small(name: str) -> str:
    """prototxt/siamese/<name> for the embedded digits of 8 x 8 pixels; writes it here."""
    text = (PROTOTXT / "siamese" / name).read_text()
    for mnist, ours in (
        ("kernel_size: 5", "kernel_size: 5 pad: 2"),
        ("mnist/", "digits/"),
        ("scale: 0.00390625", "scale: 0.0625"),
        ("dim: 10000 dim: 1 dim: 28 dim: 28", "dim: 100 dim: 1 dim: 8 dim: 8"),
        ("num_output: 500", "num_output: 100"),
    ):
        text = text.replace(mnist, ours)
    Path(name).write_text(text)
    return name


def test_classes_come_together_and_apart(folder):
    solver = caffe.get_solver(digits.write_solver("solver", small("train_test.prototxt"), base_lr=0.02))
    net = solver.net
    for mine, theirs in (("conv1", "conv1_p"), ("feat", "feat_p")):
        assert np.shares_memory(net.params[mine][0].data, net.params[theirs][0].data)
    losses = []
    for _ in range(300):
        solver.step(1)
        losses.append(float(net.blobs["loss"].data))
    assert np.mean(losses[-30:]) < 0.6 * np.mean(losses[:10])
    np.testing.assert_array_equal(net.params["conv2"][0].data, net.params["conv2_p"][0].data)
    net.save("siamese.caffemodel")

    deploy = caffe.Net(small("deploy.prototxt"), "siamese.caffemodel", caffe.TEST)
    images, labels = digits.load("test")
    out = deploy.forward_all(data=images)  # 360 images in batches of 100
    feat = out["feat"]
    assert feat.shape == (360, 2)
    distances = np.linalg.norm(feat[:, None] - feat[None], axis=2)
    same = labels[:, None] == labels[None]
    assert distances[same].mean() < 0.5 * distances[~same].mean()
