"""How a net for MNIST takes digits unlike its training images: shifted, rotated, photographed.

    python tools/changed_digits.py prototxt/mnist_cnn/train_test.prototxt best.caffemodel augmented.caffemodel

For every file of weights, the share of the 10,000 test images that is recognised: as they are, moved by up to
4 pixels, turned by up to 30 degrees, and drawn on paper and photographed (tools/photos/single.py).
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from minicaffe.data import datasets, idx
from minicaffe.net import Net
from minicaffe.proto import upgrade
from tools.photos.single import photographed, rotated, shifted

SEED = 1
CHANGES = {
    "as they are": lambda images: images,
    "shifted": lambda images: shifted(images, SEED),
    "rotated": lambda images: rotated(images, SEED),
    "photographed": lambda images: photographed(images, SEED),
}


def changed_sets(folder: Path, count: int) -> dict[str, str]:
    """The first `count` test images, changed in each way, as sources in a folder."""
    images, labels = datasets.load(f"mnist/test[:{count}]")
    sources = {}
    for name, change in CHANGES.items():
        path = folder / f"{name.replace(' ', '-')}-images-idx3-ubyte"
        idx.write(path, change(images[:, 0]))
        idx.write(folder / path.name.replace("images-idx3", "labels-idx1"), labels)
        sources[name] = str(path)
    return sources


def accuracy(net_file: str, weights: str, source: str, count: int) -> float:
    """The mean of top `accuracy` over `count` images of a source, in the place of the net's own data."""
    param = upgrade.read_net(net_file)
    batch = math.gcd(count, 100)
    for layer in param.layer:
        if layer.type == "Data":
            layer.data_param.source, layer.data_param.batch_size = source, batch
    net = Net(param, phase="TEST")
    net.load(weights, must_match=True)
    return float(np.mean([net.forward()["accuracy"] for _ in range(count // batch)]))


def main(net_file: str, *files: str, count: int = 10_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = changed_sets(Path(folder), count)
        print("".join(f"{name:>14}" for name in sources))
        for weights in files:
            shares = (accuracy(net_file, weights, source, count) for source in sources.values())
            print("".join(f"{100 * share:12.2f} %" for share in shares), f" {weights}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
