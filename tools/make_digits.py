"""Make minicaffe/data/digits/ from the digits.csv.gz that scikit-learn ships.

    pip download scikit-learn --no-deps
    unzip -p scikit_learn-*.whl sklearn/datasets/data/digits.csv.gz > digits.csv.gz
    python tools/make_digits.py digits.csv.gz

A row of the csv is an image, 8 x 8 values from 0 to 16, and its label.  The first 1,437 rows become the
training part, the last 360 the test part, in their order: samples of one writer stand together, so a shuffled
split would test on writers that were trained on.  The same input gives the same files.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

from minicaffe.data import idx

FOLDER = Path(__file__).resolve().parent.parent / "minicaffe" / "data" / "digits"
TRAIN = 1437


def make_digits(csv: Path, folder: Path) -> None:
    """Write the four IDX files of the table at `csv` into `folder`."""
    with gzip.open(csv) as file:
        table = np.loadtxt(file, np.uint8, delimiter=",")
    for name, rows in (("train", table[:TRAIN]), ("test", table[TRAIN:])):
        idx.write(folder / f"{name}-images-idx3-ubyte.gz", rows[:, :-1].reshape(-1, 8, 8))
        idx.write(folder / f"{name}-labels-idx1-ubyte.gz", np.ascontiguousarray(rows[:, -1]))


if __name__ == "__main__":
    make_digits(Path(sys.argv[1]), FOLDER)
