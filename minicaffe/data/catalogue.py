"""The named data sets: number of samples, files, SHA-256 and mirrors of each.  No file is opened.

SHA-256 and mirrors are those in public software: TensorFlow Datasets' url_checksums, torchvision,
torchvision-ruby (KMNIST, CIFAR-10), MXNet's gluon.  Only MNIST's have been checked against its files; the
others have not been downloaded with this program and are as reliable as those sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from . import archives
from .download import Archive, File


class Split(NamedTuple):
    """One part of a data set: the number of its samples and the files with their images and labels."""

    samples: int
    images: File
    labels: File


class DataSet(NamedTuple):
    """One named data set."""

    name: str
    title: str
    licence: str
    shape: tuple[int, int, int]  # of an image, (C, H, W)
    classes: int
    mirrors: tuple[str, ...]  # none: the set comes with the package
    splits: dict[str, Split]
    class_names: tuple[str, ...] = ()
    folder: str = ""  # where its files are, if not in one of its name
    archive: Archive | None = None  # that its files are made of
    unpack: Callable[[Path, Path], None] | None = None  # how: (archive, folder for the files)

    @property
    def files(self) -> list[File]:
        return [file for split in self.splits.values() for file in (split.images, split.labels)]


def _split(stem: str, count: int, shape: tuple[int, int, int], images: str, labels: str) -> Split:
    """A part whose files have MNIST's kind of names, with the SHA-256 of the unpacked contents of both."""
    return Split(
        count,
        File(f"{stem}-images-idx3-ubyte", 16 + count * math.prod(shape), images),
        File(f"{stem}-labels-idx1-ubyte", 8 + count, labels),
    )


DIGITS = DataSet(
    "digits",
    title='"Optical Recognition of Handwritten Digits", test part, E. Alpaydin and C. Kaynak, UCI, 1998',
    licence="CC BY 4.0",
    shape=(1, 8, 8),
    classes=10,
    mirrors=(),
    splits={
        "train": _split(
            "train",
            1437,
            (1, 8, 8),
            "730c597b195b0e9368ffccd999da53bce3a0e638200b44013a8c51af5216094b",
            "65bdc6faff0700b9f6fa567fd457a04bc8d14651b4df0da70aa57db040c0a05d",
        ),
        "test": _split(
            "test",
            360,
            (1, 8, 8),
            "0fd8f233e1c91c60e1cfb0174c83c89cf22b96cd64111623791fb11c84cfa620",
            "67a03ca1a94f534802edb49443f7f195e53ae9d3472f0c9f27c55830144c5819",
        ),
    },
)

MNIST = DataSet(
    "mnist",
    title='"The MNIST database of handwritten digits", Y. LeCun, C. Cortes and C. Burges, 1998',
    licence="CC BY-SA 3.0",
    shape=(1, 28, 28),
    classes=10,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    splits={
        "train": _split(
            "train",
            60000,
            (1, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "test": _split(
            "t10k",
            10000,
            (1, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
)


def _split_packed(count: int, shape: tuple[int, int, int], stem: str, images: str, labels: str) -> Split:
    """As `_split`, with the SHA-256 of the gzip files instead of the contents."""
    split = _split(stem, count, shape, "", "")
    return Split(
        count, split.images._replace(packed_sha256=images), split.labels._replace(packed_sha256=labels)
    )


FASHION = DataSet(
    "fashion-mnist",
    title='"Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", H. Xiao,'
    " K. Rasul and R. Vollgraf, 2017",
    licence="MIT",
    shape=(1, 28, 28),
    classes=10,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    splits={
        "train": _split_packed(
            60000,
            (1, 28, 28),
            "train",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        "test": _split_packed(
            10000,
            (1, 28, 28),
            "t10k",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    },
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

KMNIST = DataSet(
    "kmnist",
    title='"Deep Learning for Classical Japanese Literature" (Kuzushiji-MNIST), T. Clanuwat et al., 2018',
    licence="CC BY-SA 4.0",
    shape=(1, 28, 28),
    classes=10,
    mirrors=(  # one server: no other is known
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    splits={
        "train": _split_packed(
            60000,
            (1, 28, 28),
            "train",
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        "test": _split_packed(
            10000,
            (1, 28, 28),
            "t10k",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    },
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

EMNIST_ARCHIVE = Archive(
    "gzip.zip", 561753746, ("fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",)
)
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
DECIMALS = "0123456789"


def _emnist(name: str, part: str, train: int, test: int, class_names: str, first_label: int = 0) -> DataSet:
    """A part of EMNIST.  All parts are in one archive."""
    splits = {
        split: _split(f"{part}-{split}", count, (1, 28, 28), "", "")
        for split, count in (("train", train), ("test", test))
    }
    return DataSet(
        name,
        title=f'"EMNIST: an extension of MNIST to handwritten letters" ({part}), G. Cohen, S. Afshar,'
        " J. Tapson and A. van Schaik, 2017; images are turned upright"
        + (", labels begin at 0" if first_label else ""),
        licence="public domain (NIST)",
        shape=(1, 28, 28),
        classes=len(class_names),
        mirrors=(  # both of NIST
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ),
        splits=splits,
        class_names=tuple(class_names),
        folder="emnist",
        archive=EMNIST_ARCHIVE,
        unpack=partial(archives.emnist, part, {"train": train, "test": test}, first_label),
    )


EMNIST = _emnist("emnist", "balanced", 112800, 18800, f"{DECIMALS}{UPPER}abdefghnqrt")
EMNIST_LETTERS = _emnist("emnist-letters", "letters", 124800, 20800, LOWER, first_label=1)
EMNIST_DIGITS = _emnist("emnist-digits", "digits", 240000, 40000, DECIMALS)
EMNIST_BYCLASS = _emnist("emnist-byclass", "byclass", 697932, 116323, f"{DECIMALS}{UPPER}{LOWER}")

CIFAR10 = DataSet(
    "cifar10",
    title='"Learning Multiple Layers of Features from Tiny Images" (CIFAR-10), A. Krizhevsky, 2009; channels'
    " are put in the order blue, green, red",
    licence="none stated",
    shape=(3, 32, 32),
    classes=10,
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/",
        "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/cifar10/",
    ),
    splits={
        split: Split(
            count,
            File(f"{split}-images-idx4-ubyte", 20 + count * 3 * 32 * 32),
            File(f"{split}-labels-idx1-ubyte", 8 + count),
        )
        for split, count in (("train", 50000), ("test", 10000))
    },
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    archive=Archive(
        "cifar-10-binary.tar.gz",
        170052171,
        (
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            "5c42663433fe855e7227a0c588428176a867e401971f6e0be5fc37ca1b885452",  # packed anew by MXNet
        ),
    ),
    unpack=archives.cifar10,
)

SETS = {
    dataset.name: dataset
    for dataset in (
        *(DIGITS, MNIST, FASHION, KMNIST),
        *(EMNIST, EMNIST_LETTERS, EMNIST_DIGITS, EMNIST_BYCLASS),
        CIFAR10,
    )
}
