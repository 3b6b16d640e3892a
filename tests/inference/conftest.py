"""A net that knows the digits a little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.solvers.solver import Solver

from ..support.running import PROTOTXT

DIGITS = PROTOTXT / "digits"
TRAINING, DEPLOY = DIGITS / "train_test.prototxt", DIGITS / "deploy.prototxt"


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Of the digits, after 150 iterations."""
    solver = Solver.create(DIGITS / "solver.prototxt")
    solver.step(150)
    path = tmp_path_factory.mktemp("trained") / "digits.caffemodel"
    solver.net.save(path)
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> list[Path]:
    """The first ten digits of the test part as PNGs, white on black; the label is the last letter."""
    folder = tmp_path_factory.mktemp("images")
    pixels, labels = datasets.load("digits/test")
    paths = []
    for i in range(10):
        paths.append(folder / f"{i}_{labels[i]}.png")
        Image.fromarray(np.minimum(pixels[i, 0].astype(int) * 255 // 16, 255).astype(np.uint8)).save(
            paths[-1]
        )
    return paths
