"""Make the glyphs that `minicaffe read` is trained on, as IDX files.

    python tools/make_reader_data.py FOLDER

writes images and labels for train, val and test, and labels.txt, the names of the 16 classes: ten digits,
+ - × ÷ =, and `none` for what is no character.  The digits are those of MNIST's training part, as they are
and then varied; the last 5,000 are for val.  test begins with MNIST's test part as it is, in its order.
Symbols and what is neither are drawn by program (tools/photos/).  Everything goes through the normalisation
of `minicaffe read`.  The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minicaffe.data import datasets, idx
from minicaffe.files import write_atomic
from minicaffe.reading.glyphs import normalised

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.photos import samples, strokes

CLASSES = [*"0123456789", *strokes.SYMBOLS, "none"]
NONE = CLASSES.index("none")
KEPT_APART = 5000  # digits of the training part for val


class Part:
    """The samples of one part: the digits `images` with `labels` as they are and then `varied` times varied,
    `symbols` of each symbol, and `rejects`."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, varied: int, symbols: int, rejects: int, seed: int
    ) -> None:
        self.images, self.labels, self.varied, self.symbols, self.rejects = (
            images,
            labels,
            varied,
            symbols,
            rejects,
        )
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.images) * (1 + self.varied) + self.symbols * len(strokes.SYMBOLS) + self.rejects

    def __iter__(self) -> Iterator[tuple[samples.Glyph, int]]:
        rng = self.rng

        def pick() -> tuple[np.ndarray, int]:
            k = int(rng.integers(len(self.images)))
            return self.images[k], int(self.labels[k])

        for image, label in zip(self.images, self.labels):
            yield samples.plain(image), int(label)
        for _ in range(self.varied):
            for image, label in zip(self.images, self.labels):
                yield samples.digit(rng, image, lambda: pick()[0]), int(label)
        for name in strokes.SYMBOLS:
            for _ in range(self.symbols):
                yield samples.symbol(rng, name), CLASSES.index(name)
        for _ in range(self.rejects):
            yield samples.reject(rng, pick), NONE


def parts(seed: int) -> dict[str, Part]:
    """What FOLDER gets."""
    images, labels = _mnist("mnist/train")
    train, val = slice(0, len(images) - KEPT_APART), slice(len(images) - KEPT_APART, None)
    return {
        "train": Part(images[train], labels[train], varied=1, symbols=5000, rejects=28000, seed=3 * seed),
        "val": Part(images[val], labels[val], varied=1, symbols=500, rejects=3000, seed=3 * seed + 1),
        "test": Part(*_mnist("mnist/test"), varied=1, symbols=500, rejects=3000, seed=3 * seed + 2),
    }


def _mnist(source: str) -> tuple[np.ndarray, np.ndarray]:
    found = datasets.load(source)
    return np.asarray(found.images).reshape(-1, 28, 28), np.asarray(found.labels)


def arrays(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) of a part."""
    images = np.empty((len(part), 28, 28), np.uint8)
    labels = np.empty(len(part), np.uint8)
    for i, (glyph, label) in enumerate(tqdm(part, leave=False, disable=None)):
        images[i] = normalised(*glyph) * 255 + 0.5
        labels[i] = label
    return images, labels


def main() -> None:
    p = argparse.ArgumentParser(description="Make the glyphs that `minicaffe read` is trained on.")
    p.add_argument("folder", type=Path, metavar="FOLDER")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts(args.seed).items():
        images, labels = arrays(part)
        idx.write(args.folder / f"{name}-images-idx3-ubyte", images)
        idx.write(args.folder / f"{name}-labels-idx1-ubyte", labels)
    write_atomic(args.folder / "labels.txt", "".join(f"{c}\n" for c in CLASSES).encode())


if __name__ == "__main__":
    main()
