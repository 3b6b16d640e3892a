"""Make minicaffe/data/digits/ from the digits.csv.gz that scikit-learn ships.

    pip download scikit-learn --no-deps
    unzip -p scikit_learn-*.whl sklearn/datasets/data/digits.csv.gz > digits.csv.gz
    python tools/make_digits.py digits.csv.gz

A row of the csv is an image, 8 x 8 values from 0 to 16, and its label.  Every fifth row, from the first on,
goes to the test part (360), the others to the training part (1,437), in their order; so each of the 13
writers has samples in both.  The same input gives the same files.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

from minicaffe.data import idx

FOLDER = Path(__file__).resolve().parent.parent / "minicaffe" / "data" / "digits"
TEST_EVERY = 5


def make_digits(csv: Path, folder: Path) -> None:
    """Write the four IDX files of the table at `csv` into `folder`."""
    with gzip.open(csv) as file:
        table = np.loadtxt(file, np.uint8, delimiter=",")
    kept_apart = np.arange(len(table)) % TEST_EVERY == 0
    for name, rows in (("train", table[~kept_apart]), ("test", table[kept_apart])):
        idx.write(folder / f"{name}-images-idx3-ubyte.gz", rows[:, :-1].reshape(-1, 8, 8))
        idx.write(folder / f"{name}-labels-idx1-ubyte.gz", np.ascontiguousarray(rows[:, -1]))


if __name__ == "__main__":
    make_digits(Path(sys.argv[1]), FOLDER)
