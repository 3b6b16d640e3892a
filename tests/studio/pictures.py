"""Folders of small images to make data sets of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from minicaffe.data import datasets
from minicaffe.data.making import Options, make

from ..support.running import run

CLASSES = ("cats", "dogs")


def png(seed: int, size: tuple[int, int] = (8, 8), colour: bool = True) -> bytes:
    """A PNG of random pixels."""
    shape = (*size, 3) if colour else size
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def class_folders(
    folder: Path, classes: tuple[str, ...] = CLASSES, each: int = 5, colour: bool = True
) -> Path:
    """FOLDER/CLASS/N.png, every image another."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for image in range(each):
            (folder / name / f"{image}.png").write_bytes(png(100 * number + image, colour=colour))
    return folder


NET = """
name: "plain"
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { scale: 0.0625 }
  data_param { source: "digits/train" backend: IDX batch_size: 60 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.5 momentum: 0.9 lr_policy: "fixed" max_iter: 120 display: 0 random_seed: 1
"""


def doubtful(workspace: Path, scratch: Path, capsys) -> np.ndarray:
    """A run `plain` that was trained on digits, and a data set `some` of 300 digits of which 7 and 70 have
    wrong labels; the labels."""
    (scratch / "net.prototxt").write_text(NET)
    (scratch / "solver.prototxt").write_text(SOLVER)
    assert run(capsys, "train", "--solver", scratch / "solver.prototxt", "--run", workspace / "plain")[0] == 0
    pixels, labels = datasets.load("digits/train[:300]")
    labels = labels.copy()
    labels[[7, 70]] = (labels[[7, 70]] + 5) % 10
    np.savez(scratch / "some.npz", images=pixels, labels=labels)
    make(scratch / "some.npz", workspace / "some", Options(keep_order=True))
    return labels
