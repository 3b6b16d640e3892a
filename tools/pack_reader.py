"""Make trained weights those that `minicaffe read` ships.

    python tools/pack_reader.py reader_iter_8000_ema.caffemodel reader_data

writes net, weights and labels into minicaffe/reading/weights/, after the last layer has been divided by the
temperature with which the certainties on the val glyphs are best calibrated (least negative log-likelihood),
and says how the net does on the test glyphs, which nothing was fitted to.

Source: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On calibration of modern neural networks" (2017).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from scipy import optimize

from minicaffe.data import idx
from minicaffe.net import Net, weights

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "prototxt" / "reader" / "deploy.prototxt"
SHIPPED = ROOT / "minicaffe" / "reading" / "weights"
DIGITS = 10_000  # how many glyphs of test are MNIST's, as they are
LAST = "ip2"  # the layer whose outputs are scores
BATCH = 250


def scores(net: Net, images: np.ndarray) -> np.ndarray:
    """What the last layer says of (N, 28, 28) uint8 glyphs, (N, classes)."""
    out = []
    for at in range(0, len(images), BATCH):
        net.forward(data=images[at : at + BATCH, None].astype(np.float32) / 255)
        out.append(np.array(net.blobs[LAST].data, np.float64))
    return np.concatenate(out)


def loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative log-likelihood."""
    top = scores.max(1, keepdims=True)
    log_sum = np.log(np.exp(scores - top).sum(1)) + top[:, 0]
    return float((log_sum - scores[np.arange(len(labels)), labels]).mean())


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """What scores are best divided by."""
    found = optimize.minimize_scalar(lambda t: loss(scores / t, labels), bounds=(0.3, 5), method="bounded")
    return float(found.x)


def _glyphs(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    return tuple(idx.read(folder / f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))


def main() -> None:
    p = argparse.ArgumentParser(description="Make trained weights those that `minicaffe read` ships.")
    p.add_argument("weights", type=Path)
    p.add_argument("data", type=Path, metavar="FOLDER", help="what make_reader_data.py wrote")
    args = p.parse_args()
    net = Net(str(DEPLOY), phase="TEST", forward_only=True)
    net.load(str(args.weights))

    images, labels = _glyphs(args.data, "val")
    fitted = temperature(scores(net, images), labels)
    last = next(layer for layer in net.layers if layer.name == LAST)
    for blob in last.params:
        blob.data[...] /= fitted

    images, labels = _glyphs(args.data, "test")
    found = scores(net, images)
    right = found.argmax(1) == labels
    names = (args.data / "labels.txt").read_text().split()
    lines = [f"temperature {fitted:.3f}, loss on test {loss(found, labels):.4f}, accuracy {right.mean():.4f}"]
    lines.append(f"MNIST's test digits as they are: {right[:DIGITS].mean():.4f}")
    lines += [f"{name}: {right[labels == k].mean():.4f}" for k, name in enumerate(names)]
    sys.stdout.write("\n".join(lines) + "\n")

    SHIPPED.mkdir(exist_ok=True)
    weights.save(net.to_message(), SHIPPED / "reader.caffemodel")
    shutil.copyfile(DEPLOY, SHIPPED / "reader.prototxt")
    shutil.copyfile(args.data / "labels.txt", SHIPPED / "labels.txt")


if __name__ == "__main__":
    main()
