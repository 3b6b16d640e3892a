"""Named data sets, and files of images with labels beside them."""

import functools
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicaffe.data import datasets, download, idx
from minicaffe.errors import DataError, UnknownTypeError
from tools.make_digits import make_digits

IMAGES = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)
HAS_MNIST = datasets.find(datasets.MNIST, datasets.MNIST.splits["train"]) is not None
needs_mnist = pytest.mark.skipif(
    not HAS_MNIST, reason="MNIST is not here: set MINICAFFE_DATA, or minicaffe data get mnist"
)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data but the package's own; downloads fail the test."""
    monkeypatch.delenv("MINICAFFE_DATA", raising=False)
    monkeypatch.setattr(datasets, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(datasets, "fetch", lambda *args: pytest.fail("tried to download"))
    return tmp_path


def write_pair(folder: Path, images=IMAGES, labels=LABELS, suffixes=("", "")) -> Path:
    path = folder / f"my-images-idx3-ubyte{suffixes[0]}"
    idx.write(path, images)
    idx.write(folder / f"my-labels-idx1-ubyte{suffixes[1]}", labels)
    return path


def write_mnist(folder: Path) -> None:
    """Files of MNIST's shapes, all zero but for a mark."""
    folder.mkdir(parents=True)
    for split in datasets.MNIST.splits.values():
        for file, shape in ((split.images, (split.samples, 28, 28)), (split.labels, (split.samples,))):
            array = np.zeros(shape, np.uint8)
            array[0] = len(folder.name)
            idx.write(folder / file.name, array)


# -- digits


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_come_with_the_package(split, nowhere):
    images, labels = datasets.load(f"digits/{split}")
    assert images.shape == ({"train": 1437, "test": 360}[split], 1, 8, 8) and images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 16) and set(labels) == set(range(10))
    for path, file in zip(datasets.files(f"digits/{split}"), datasets.DIGITS.splits[split][1:]):
        content = gzip.decompress(path.read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.nbytes, file.sha256)


def test_the_tool_makes_the_digits_again(tmp_path):
    """From a table like the one they were made of."""
    table = np.empty((1797, 65), np.uint8)
    kept_apart = np.arange(len(table)) % 5 == 0
    for split, rows in (("train", ~kept_apart), ("test", kept_apart)):
        images, labels = datasets.load(f"digits/{split}")
        table[rows] = np.hstack([images.reshape(-1, 64), labels[:, None]])
    lines = "\n".join(",".join(map(str, row)) for row in table)
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(lines.encode()))
    make_digits(tmp_path / "digits.csv.gz", tmp_path)
    for file in datasets.DIGITS.files:
        assert datasets.sha256(tmp_path / f"{file.name}.gz") == file.sha256


def test_digits_are_small_and_say_where_they_come_from():
    folder = Path(datasets.__file__).parent / "digits"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000
    told = (folder / "ATTRIBUTION.md").read_text()
    assert "Alpaydin" in told and "CC BY 4.0" in told and "1,437" in told


# -- MNIST


@needs_mnist
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_is_what_was_published(split):
    images, labels = datasets.load(f"mnist/{split}", download=False)
    part = datasets.MNIST.splits[split]
    assert images.shape == (part.samples, 1, 28, 28) and labels.shape == (part.samples,)
    for path, file in zip(datasets.files(f"mnist/{split}"), (part.images, part.labels)):
        assert datasets.sha256(path) == file.sha256
        assert sum(map(len, idx.contents(path))) == file.nbytes


def test_the_given_folder_comes_before_the_cache(nowhere, monkeypatch):
    train = datasets.MNIST.splits["train"]
    cache, given = nowhere / "cache" / "data" / "mnist", nowhere / "given" / "mnist"

    def where() -> Path:
        images, labels = datasets.find(datasets.MNIST, train)
        assert images.parent == labels.parent
        return images.parent

    write_mnist(cache)
    assert where() == cache
    monkeypatch.setenv("MINICAFFE_DATA", str(nowhere / "given"))
    assert where() == cache  # nothing given yet
    write_mnist(given)
    assert where() == given
    assert datasets.load("mnist/test").images.shape == (10000, 1, 28, 28)
    (given / train.labels.name).unlink()  # half of it is none of it
    assert where() == cache


def test_files_of_another_shape_under_a_known_name_are_refused(nowhere):
    folder = nowhere / "cache" / "data" / "mnist"
    write_mnist(folder)
    shutil.copy(folder / "t10k-images-idx3-ubyte", folder / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"mnist/train have shape \(60000, 1, 28, 28\); got \(10000, 1"):
        datasets.load("mnist/train")


def test_without_leave_to_download_the_error_names_the_command(nowhere, monkeypatch):
    monkeypatch.setenv("MINICAFFE_DATA", str(nowhere / "given"))
    with pytest.raises(
        DataError, match=r"given/mnist and .*cache/data/mnist; hint: minicaffe data get mnist"
    ):
        datasets.load("mnist/train", download=False)


def test_what_is_missing_is_downloaded_into_the_cache(nowhere, monkeypatch):
    fetched = []
    write_mnist(nowhere / "server")

    def fetch(file, folder, mirrors, remedy):
        fetched.append(file.name)
        assert folder == nowhere / "cache" / "data" / "mnist"
        assert len(mirrors) >= 2 and all(mirror.startswith("https://") for mirror in mirrors)
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(nowhere / "server" / file.name, folder))

    monkeypatch.setattr(datasets, "fetch", fetch)
    datasets.load("mnist/test")
    assert fetched == ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    (nowhere / "cache" / "data" / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    datasets.load("mnist/test")
    datasets.load("mnist/test")
    assert fetched[2:] == ["t10k-labels-idx1-ubyte"]  # only what was missing, and once


def test_if_no_mirror_delivers_the_error_says_what_to_do(nowhere, monkeypatch):
    monkeypatch.setattr(datasets, "fetch", download.fetch)
    mnist = datasets.MNIST._replace(mirrors=("http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"))
    monkeypatch.setitem(datasets.SETS, "mnist", mnist)
    with pytest.raises(DataError, match=r"tried http://127.0.0.1:9/a/train-images-idx3-ubyte.gz") as caught:
        datasets.load("mnist/train")
    said = str(caught.value)
    assert (
        "9/b/train-images-idx3-ubyte.gz" in said
        and "hint: set MINICAFFE_DATA to the folder that holds" in said
    )
    assert all(file.name in said for file in mnist.files) and str(nowhere / "cache") in said


def test_importing_and_reading_local_files_opens_no_connection():
    program = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("opened a connection")
socket.socket.connect = socket.create_connection = refuse
from minicaffe.data import datasets
datasets.load("digits/train")
datasets.find(datasets.MNIST, datasets.MNIST.splits["train"])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env={**os.environ})


# -- ranges


@pytest.mark.parametrize(
    ("spelled", "rows"),
    [
        ("[:4]", slice(0, 4)),
        ("[1078:]", slice(1078, 1437)),
        ("[5:7]", slice(5, 7)),
        ("[:75%]", slice(0, 1077)),
        ("[75%:]", slice(1077, 1437)),
        ("[:]", slice(0, 1437)),
        ("[ 10 : 100% ]", slice(10, 1437)),
    ],
)
def test_a_range_of_a_named_set(spelled, rows, nowhere):
    whole, part = datasets.load("digits/train"), datasets.load(f"digits/train{spelled}")
    np.testing.assert_array_equal(part.images, whole.images[rows])
    np.testing.assert_array_equal(part.labels, whole.labels[rows])
    assert datasets.samples(f"digits/train{spelled}") == len(part.labels) == rows.stop - rows.start
    assert datasets.files(f"digits/train{spelled}") == datasets.files("digits/train")


def test_a_range_of_a_file(tmp_path, monkeypatch):
    path = write_pair(tmp_path)
    for kept_bytes in (idx.KEPT_BYTES, 0):  # in memory, and left in the file
        stored = functools.partial(idx.stored, kept_bytes=kept_bytes)
        monkeypatch.setattr(datasets.idx, "stored", stored)
        images, labels = datasets.load(f"{path}[1:3]")
        np.testing.assert_array_equal(images, IMAGES[1:3, None])
        np.testing.assert_array_equal(labels, LABELS[1:3])
    opened = datasets.open_source(f"{path}[2:]").images
    assert isinstance(opened, idx.StoredArray) and opened.shape == (3, 1, 3, 4)
    np.testing.assert_array_equal(opened.take(np.array([2, 0])), IMAGES[[4, 2], None])
    assert datasets.samples(f"{path}[1:3]") is None


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ("[4:4]", r"digits/train\[4:4\]: the range takes none of the 1437 samples: it begins at 4 and ends"),
        ("[9:4]", "begins at 9 and ends before 4"),
        ("[:0%]", "begins at 0 and ends before 0"),
        ("[:1438]", "reaches beyond the 1437 samples; got 1438; hint: at most 1437"),
        ("[:101%]", "reaches beyond the 1437 samples; got 101%; hint: at most 100%"),
        (
            "[-4:]",
            r"each a whole number or a percentage; got '-4'; hint: for example digits/train\[",
        ),
        ("[:7.5%]", "got '7.5%'"),
        ("[a:]", "got 'a'"),
        ("[:" + "9" * 5000 + "]", "got '9999"),
        ("[1]", "no data set and no file 'digits/train.1.'"),
    ],
)
def test_a_range_that_is_none(spelled, message, nowhere):
    with pytest.raises(DataError, match=message):
        datasets.load(f"digits/train{spelled}")


def test_a_range_is_refused_before_anything_is_downloaded(nowhere):
    with pytest.raises(DataError, match="reaches beyond the 60000 samples"):
        datasets.load("mnist/train[:60001]")


# -- files


@pytest.mark.parametrize("images_suffix", ["", ".gz"])
@pytest.mark.parametrize("labels_suffix", ["", ".gz"])
def test_labels_are_found_beside_the_images(tmp_path, images_suffix, labels_suffix):
    path = write_pair(tmp_path, suffixes=(images_suffix, labels_suffix))
    for source in (path, tmp_path / "my-images-idx3-ubyte", tmp_path / "my-images-idx3-ubyte.gz"):
        images, labels = datasets.load(str(source))
        np.testing.assert_array_equal(images, IMAGES[:, None])
        np.testing.assert_array_equal(labels, LABELS)


def test_images_with_channels_and_without_labels(tmp_path):
    path = tmp_path / "colours"
    idx.write(path, np.zeros((2, 3, 4, 5), np.float32))
    assert datasets.load(str(path), labels=False) == (pytest.approx(np.zeros((2, 3, 4, 5))), None)
    with pytest.raises(DataError, match="cannot tell the file of labels: expected `images` in the name"):
        datasets.load(str(path))


def test_only_the_name_of_the_file_is_changed(tmp_path):
    folder = tmp_path / "images-idx3"
    folder.mkdir()
    assert len(datasets.load(str(write_pair(folder))).labels) == 5


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:4], r"labels-idx1-ubyte has 4 labels for the 5 images of .*images-idx3-ubyte; hint"),
        (IMAGES, LABELS[:, None], r"labels must have one axis \(N\); got \(5, 1\)"),
        (IMAGES[0], LABELS, r"axes \(N, H, W\) or \(N, C, H, W\), none empty; got \(3, 4\)"),
        (IMAGES[:, :0], LABELS, r"none empty; got \(5, 1, 0, 4\)"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, images, labels, message):
    with pytest.raises(DataError, match=message):
        datasets.load(str(write_pair(tmp_path, images, labels)))


def test_what_is_not_there(tmp_path):
    with pytest.raises(
        DataError, match="no data set and no file 'mnist/trian'; hint: did you mean 'mnist/train'"
    ):
        datasets.load("mnist/trian")
    path = write_pair(tmp_path)
    (tmp_path / "my-labels-idx1-ubyte").unlink()
    with pytest.raises(
        DataError, match=r"no labels beside it: expected .*my-labels-idx1-ubyte, plain or .gz"
    ):
        datasets.load(str(path))
    with pytest.raises(UnknownTypeError, match="no data set 'mnits'; hint: did you mean 'mnist'"):
        datasets.named("mnits")
