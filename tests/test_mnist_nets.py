"""The small nets for MNIST start, on images of its size; what they reach is measured elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.data import datasets
from minicaffe.net import Net
from minicaffe.proto import upgrade

from .support.running import PROTOTXT, run
from .test_readme import small_mnist

FOLDERS = ("mnist_cnn", "mnist_keras_cnn", "mnist_mlp")
SOLVERS = sorted(
    str(path.relative_to(PROTOTXT))
    for path in [
        PROTOTXT / "lenet" / "solver_best.prototxt",
        *(path for name in FOLDERS for path in (PROTOTXT / name).glob("solver*.prototxt")),
    ]
)


@pytest.mark.parametrize("path", SOLVERS)
def test_two_iterations(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINICAFFE_DATA", str(tmp_path))
    monkeypatch.setitem(datasets.SETS, "mnist", small_mnist(tmp_path / "mnist"))
    trained = run(capsys, "train", PROTOTXT / path, "--iterations", 2)
    assert trained.status == 0, trained.err
    (weights,) = (p for p in tmp_path.glob("*_iter_2.caffemodel"))
    folder = PROTOTXT / path.split("/")[0]
    deploy = "best_deploy.prototxt" if folder.name == "lenet" else "deploy.prototxt"
    net = Net(str(folder / deploy), phase="TEST", forward_only=True)
    net.load(str(weights), must_match=True)
    (outputs,) = net.forward(**{name: np.zeros(net.blobs[name].shape) for name in net.inputs}).values()
    assert outputs.shape[1:] == (10,) and np.isfinite(outputs).all()


@pytest.mark.parametrize(
    ("deployed", "trained"),
    [(f"{name}/deploy", f"{name}/train_test") for name in FOLDERS]
    + [
        ("mnist_cnn/deploy", "mnist_cnn/augmented_train_test"),
        ("mnist_mlp/deploy", "mnist_mlp/best_train_test"),
        ("lenet/best_deploy", "lenet/best_train_test"),
    ],
)
def test_what_is_deployed_is_what_was_trained(deployed, trained):
    """Layer for layer, but for data, measures and dropout, which does nothing there."""

    def layers(path: str):
        return [
            layer
            for layer in upgrade.read_net(PROTOTXT / f"{path}.prototxt").layer
            if layer.type in ("Convolution", "InnerProduct", "Pooling", "ReLU")
        ]

    assert layers(deployed) == layers(trained) and len(layers(trained)) >= 7
