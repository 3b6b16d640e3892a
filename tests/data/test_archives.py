"""Data sets that come as archives, from small ones made here and a server in this process."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from functools import partial

import numpy as np
import pytest

from minicaffe.cli import data
from minicaffe.data import archives, catalogue, datasets, idx
from minicaffe.data.download import Archive
from minicaffe.errors import DataError

from .test_download import BODIES, Mirrors, address, mirrors  # noqa: F401

COUNT = 7


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where downloads go; nothing is there and nothing is given."""
    monkeypatch.delenv("MINICAFFE_DATA", raising=False)
    monkeypatch.setattr(datasets, "user_cache", lambda: tmp_path)
    return tmp_path / "data"


def packed_idx(array: np.ndarray) -> bytes:
    return gzip.compress(idx.first_bytes(array.shape, array.dtype) + array.tobytes())


def records(seed: int) -> bytes:
    """A batch of CIFAR-10: of every record the label, then red, green and blue."""
    rows = np.random.default_rng(seed).integers(0, 10, (COUNT, 3073), np.uint8)
    rows[:, 1] = seed
    return rows.tobytes()


def tar(names) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = COUNT * 3073
            packed.addfile(member, io.BytesIO(records(number)))
    return out.getvalue()


CIFAR = [
    *(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
]
CIFAR.insert(2, "cifar-10-batches-bin/._data_batch_2.bin")  # as macOS leaves them
IMAGES = np.arange(COUNT * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(COUNT, 28, 28)
LABELS = np.arange(1, COUNT + 1).astype(np.uint8)


def emnist_zip(parts=("letters", "balanced")) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for part in parts:
            for split in ("train", "test"):
                stem = f"gzip/emnist-{part}-{split}"
                zipped.writestr(f"{stem}-images-idx3-ubyte.gz", packed_idx(IMAGES.swapaxes(1, 2)))
                zipped.writestr(f"{stem}-labels-idx1-ubyte.gz", packed_idx(LABELS))
    return out.getvalue()


def small(dataset: catalogue.DataSet, body: bytes, on) -> catalogue.DataSet:
    """The set, as if it had a few images, in this archive on mirrors of which the first has another."""
    archive = dataset.archive._replace(sha256=(hashlib.sha256(body).hexdigest(),))
    batches = {"train": 5, "test": 1} if dataset.name == "cifar10" else {"train": 1, "test": 1}
    counts = {split: COUNT * batches[split] for split in dataset.splits}
    splits = {
        name: split._replace(samples=counts[name], images=split.images._replace(nbytes=0))
        for name, split in dataset.splits.items()
    }
    BODIES["archive"] = body
    return dataset._replace(archive=archive, splits=splits, mirrors=tuple(on("other", "archive")))


@pytest.fixture
def served(monkeypatch, mirrors):  # noqa: F811
    """Lets any archive be asked for; a set by its name, as `small` makes it."""
    monkeypatch.setattr(Mirrors, "names", ("cifar-10-binary.tar.gz", "gzip.zip"))
    monkeypatch.setattr(archives, "CIFAR_COUNT", COUNT)

    def serve(name: str, body: bytes) -> catalogue.DataSet:
        dataset = small(datasets.SETS[name], body, mirrors)
        if dataset.folder == "emnist":
            part = dataset.unpack.args[0]
            counts = dict.fromkeys(dataset.splits, COUNT)
            dataset = dataset._replace(unpack=partial(archives.emnist, part, counts, dataset.unpack.args[2]))
        monkeypatch.setitem(datasets.SETS, name, dataset)
        return dataset

    return serve


def test_cifar10_becomes_idx_in_the_order_blue_green_red(cache, served):
    served("cifar10", tar(CIFAR))
    images, labels = datasets.load("cifar10/train")
    assert Mirrors.asked == ["other", "archive"]
    assert images.shape == (5 * COUNT, 3, 32, 32)
    batches = [np.frombuffer(records(k), np.uint8).reshape(COUNT, 3073) for k in (0, 1, 3, 4, 5)]
    rows = np.concatenate(batches)  # the third file is none of it
    np.testing.assert_array_equal(labels, rows[:, 0])
    np.testing.assert_array_equal(images[:, 2], rows[:, 1:1025].reshape(-1, 32, 32))
    np.testing.assert_array_equal(images[:, 0], rows[:, 2049:].reshape(-1, 32, 32))
    assert len(datasets.load("cifar10/test").images) == COUNT and len(Mirrors.asked) == 2
    assert sorted(path.name for path in (cache / "cifar10").iterdir()) == [
        "test-images-idx4-ubyte",
        "test-labels-idx1-ubyte",
        "train-images-idx4-ubyte",
        "train-labels-idx1-ubyte",
    ]


def test_emnist_is_turned_upright_and_its_archive_kept_for_the_other_parts(cache, served):
    body = emnist_zip()
    served("emnist-letters", body)
    images, labels = datasets.load("emnist-letters/test")
    np.testing.assert_array_equal(images[:, 0], IMAGES)
    np.testing.assert_array_equal(labels, LABELS - 1)
    assert (cache / "emnist" / "gzip.zip").exists()
    served("emnist", body)
    np.testing.assert_array_equal(datasets.load("emnist/train").labels, LABELS)
    assert Mirrors.asked == ["other", "archive"]


def test_an_archive_that_is_given_is_used(cache, served, tmp_path, monkeypatch):
    body = tar(CIFAR)
    served("cifar10", body)
    given = tmp_path / "given" / "cifar10"
    given.mkdir(parents=True)
    (given / "cifar-10-binary.tar.gz").write_bytes(body)
    monkeypatch.setenv("MINICAFFE_DATA", str(tmp_path / "given"))
    assert len(datasets.load("cifar10/test").images) == COUNT
    assert not Mirrors.asked and (given / "cifar-10-binary.tar.gz").exists()
    for path in (cache / "cifar10").iterdir():
        path.unlink()
    (given / "cifar-10-binary.tar.gz").write_bytes(body[:-1])
    with pytest.raises(DataError, match=r"tar.gz: not as published: expected SHA-256 .*; hint: delete it"):
        datasets.load("cifar10/test")


BROKEN = {
    "cifar10": {
        "holds no data_batch_5.bin": tar(CIFAR[:5]),
        "damaged, or of another kind": tar(CIFAR)[:-2000],
    },
    "emnist": {
        "damaged, or of another kind: .*no item named": emnist_zip(("letters",)),
        "damaged, or of another kind: File is not a zip": b"none",
    },
}
CASES = [(name, message) for name, bodies in BROKEN.items() for message in bodies]


@pytest.mark.parametrize(("name", "message"), CASES)
def test_archives_that_are_none_leave_nothing(cache, served, name, message):
    """Published so, as far as the SHA-256 goes: nothing but the archive is there afterwards."""
    served(name, BROKEN[name][message])
    with pytest.raises(DataError, match=message):
        datasets.load(f"{name}/train")
    assert [path.name for path in cache.rglob("*-ubyte*")] == []


def test_a_batch_of_another_length(cache, served, monkeypatch):
    served("cifar10", tar(CIFAR))
    monkeypatch.setattr(archives, "CIFAR_COUNT", COUNT - 1)
    with pytest.raises(DataError, match=f"data_batch_1.bin must have {(COUNT - 1) * 3073} bytes"):
        datasets.load("cifar10/train")


def test_get_checks_lengths_where_nothing_else_is_known(cache, served, capsys):
    dataset = served("emnist", emnist_zip())
    nbytes = {"images": 16 + COUNT * 784, "labels": 8 + COUNT}
    splits = {
        name: split._replace(
            images=split.images._replace(nbytes=nbytes["images"]),
            labels=split.labels._replace(nbytes=nbytes["labels"]),
        )
        for name, split in dataset.splits.items()
    }
    datasets.SETS["emnist"] = dataset._replace(splits=splits)
    assert data.run(["get", "emnist"]) == 0
    assert capsys.readouterr().out.startswith(f"emnist/train: {cache / 'emnist'}")
    assert data.run(["info", "emnist/train"]) == 0
    said = capsys.readouterr().out
    assert (
        "images are turned upright" in said and "published" not in said and "\n           1  1  1\n" in said
    )
    (cache / "emnist" / "balanced-test-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match=f"not as published: expected {8 + COUNT} bytes; got 0"):
        data.run(["get", "emnist"])


def test_every_set_has_mirrors_sums_and_names():
    for dataset in catalogue.SETS.values():
        if dataset.name == "digits":
            continue
        assert len(dataset.mirrors) >= 2 and all(mirror.endswith("/") for mirror in dataset.mirrors)
        assert len(dataset.class_names) in (0, dataset.classes)
        if dataset.archive is None:
            assert all(len(file.sha256 or file.packed_sha256) == 64 for file in dataset.files)
        else:
            assert isinstance(dataset.archive, Archive) and all(len(d) == 64 for d in dataset.archive.sha256)
