"""Opening data sets: named ones, and IDX files.

A source is a part of a named set (catalogue.py), such as `mnist/train`, or the path of an IDX file of images.
The labels of such a file are in a file beside it whose name has `labels` for `images` and `idx1` for `idx3`
or `idx4`.  FOLDER/train means FOLDER/train-images-idx3-ubyte.  A range may follow a source and selects some
of its samples: `mnist/train[:45002]`, `mnist/train[75%:]` (ranges.py).

The files of a named set are looked for in $MINICAFFE_DATA/<set>/, then in the user's cache, and downloaded if
they are in neither; `digits` comes with the package.  Files may be plain or compressed by gzip.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import log
from ..errors import DataError, UnknownTypeError, suggest
from ..files import LARGEST_BYTES, PIECE_BYTES, user_cache
from . import idx, ranges
from .catalogue import DIGITS, MNIST, SETS, DataSet, Split
from .download import Archive, File, fetch, fetch_archive
from .pieces import Pieces

__all__ = ["DIGITS", "MNIST", "SETS", "DataSet", "Split"]  # beside what is defined here

PACKAGED = Path(__file__).parent


class Samples(NamedTuple):
    """Images, in memory or in a file, and their labels, in the order of the file."""

    images: np.ndarray | idx.StoredArray  # (N, C, H, W)
    labels: np.ndarray | None  # (N,)


def names() -> list[str]:
    """All sources that are parts of named sets: mnist/train, ..."""
    return [f"{dataset.name}/{split}" for dataset in SETS.values() for split in dataset.splits]


def named_part(source: str) -> tuple[DataSet, Split] | None:
    """The named set and its part that a source means; None if it means no named set.  A range is ignored."""
    dataset, _, split = ranges.without(source).partition("/")
    if dataset not in SETS or split not in SETS[dataset].splits:
        return None
    return SETS[dataset], SETS[dataset].splits[split]


def samples(source: str) -> int | None:
    """How many samples a part of a named set, or its range, has, without opening a file; None for other
    sources.  DataError for a range that the set does not have."""
    part = named_part(source)
    return len(ranges.rows(source, part[1].samples)) if part else None


def named(name: str) -> DataSet:
    """The data set called `name`; UnknownTypeError, with the closest names, if there is none."""
    if name not in SETS:
        raise UnknownTypeError(f"no data set {name!r}", hint=suggest(name, SETS))
    return SETS[name]


class Loaded(NamedTuple):
    """Images and labels in memory."""

    images: np.ndarray  # (N, C, H, W)
    labels: np.ndarray | None  # (N,)


def load(source: str, *, labels: bool = True, download: bool = True) -> Loaded:
    """Read all samples of a source into memory.  Arguments and errors are those of `open_source`."""
    images, values = open_source(source, labels=labels, download=download)
    return Loaded(images.whole() if isinstance(images, idx.StoredArray) else images, values)


def open_source(
    source: str, *, labels: bool = True, download: bool = True, largest_bytes: int = LARGEST_BYTES
) -> Samples:
    """Open the samples of a source.  The images of a large uncompressed file stay in the file (idx.stored).

    labels    False: leave out the labels
    download  whether to download a named set that is not on this machine

    Raises DataError for files that are missing, damaged, do not belong together, or would take more than
    `largest_bytes` when unpacked, and for a range that does not exist.
    """
    samples(source)  # a range that the set lacks is refused before anything is downloaded
    images_path, labels_path = files(source, labels=labels, download=download)
    images = idx.stored(images_path, largest_bytes)
    if images.ndim == 3:
        images = images.reshape((len(images), 1, *images.shape[1:]))
    if images.ndim != 4 or not images.size:
        raise DataError(
            f"{images_path}: images must have axes (N, H, W) or (N, C, H, W), none empty; got {images.shape}"
        )
    if part := named_part(source):
        dataset, split = part
        expected = (split.samples, *dataset.shape)
        if images.shape != expected:
            raise DataError(
                f"{images_path}: the images of {ranges.without(source)} have shape {expected}; got"
                f" {images.shape}",
                hint="delete the file, or correct MINICAFFE_DATA",
            )
    rows = ranges.rows(source, len(images))
    chosen = images.part(rows) if isinstance(images, idx.StoredArray) else images[rows.start : rows.stop]
    if labels_path is None:
        return Samples(chosen, None)
    values = idx.read(labels_path, largest_bytes)
    if values.ndim != 1:
        raise DataError(f"{labels_path}: labels must have one axis (N); got {values.shape}")
    if len(values) != len(images):
        raise DataError(
            f"{labels_path} has {len(values)} labels for the {len(images)} images of {images_path}",
            hint="the two files do not belong together",
        )
    return Samples(chosen, values[rows.start : rows.stop])


def files(source: str, *, labels: bool = True, download: bool = True) -> tuple[Path, Path | None]:
    """The paths of the files that `open_source` would read: of images, and of labels (None without
    `labels`)."""
    source = ranges.without(source)
    if part := named_part(source):
        dataset, split = part
        paths = find(dataset, split)
        if paths is None and download:
            paths = get(dataset, split)
        if paths is None:
            raise DataError(
                f"{source} is not here: looked in {' and '.join(map(str, folders(dataset)))}",
                hint=f"minicaffe data get {dataset.name}",
            )
        return paths[0], paths[1] if labels else None
    images = images_file(source)
    if images is None:
        raise DataError(
            f"no data set and no file {source!r}",
            hint=suggest(source, names()) + "; or give the path of an IDX file of images",
        )
    return images, _labels_of(images) if labels else None


def images_file(source: str) -> Path | None:
    """The IDX file of images that a path means, plain or gzip: the path itself, or, if the path is that of a
    part of a data set written by `data make` (photos-data/train), the file whose name begins with it.  None
    if neither exists."""
    path = Path(source)
    if (itself := present(path)) is not None:
        return itself
    names = [f"{path.name}-images-idx{axes}-ubyte" for axes in (3, 4)] if path.name else []
    return next(filter(None, (present(path.with_name(name)) for name in names)), None)


def find(dataset: DataSet, split: Split) -> tuple[Path, Path] | None:
    """The files of images and labels of a part, in the first of the set's folders that has both; None if none
    has."""
    for folder in folders(dataset):
        images, labels = present(folder / split.images.name), present(folder / split.labels.name)
        if images and labels:
            return images, labels
    return None


def folders(dataset: DataSet) -> list[Path]:
    """The folders in which a set is looked for, in this order; downloads go to the last one."""
    if not dataset.mirrors:
        return [PACKAGED / dataset.name]
    given, cache = os.environ.get("MINICAFFE_DATA"), user_cache()
    roots = ([Path(given)] if given else []) + ([cache / "data"] if cache else [])
    return [root / (dataset.folder or dataset.name) for root in roots]


def get(dataset: DataSet, split: Split) -> tuple[Path, Path]:
    """The files of images and labels of a part in the user's cache, downloaded if they are not there."""
    if not folders(dataset):
        what = f"{dataset.name} has no place to be kept: this user has no home folder"
        raise DataError(what, hint=f"set MINICAFFE_DATA to a folder for {dataset.name}/")
    folder = folders(dataset)[-1]
    wanted = f"{', '.join(file.name for file in dataset.files)} (plain or .gz)"
    if dataset.archive is not None:
        wanted = dataset.archive.name
    remedy = f"set MINICAFFE_DATA to the folder that holds {folder.name}/, or put {wanted} into {folder}"
    if dataset.archive is not None and dataset.unpack is not None:
        _unpack(dataset, dataset.archive, dataset.unpack, remedy)
        found = find(dataset, split)
        if found is None:
            raise DataError(f"{dataset.archive.name} holds no {dataset.name}", hint=remedy)
        return found
    images, labels = (
        present(folder / file.name) or fetch(file, folder, dataset.mirrors, remedy)
        for file in (split.images, split.labels)
    )
    return images, labels


def _unpack(dataset: DataSet, archive: Archive, unpack: Callable[[Path, Path], None], remedy: str) -> None:
    """Make the files of a set in the last of its folders.  The archive is taken from the first folder that
    has it, or downloaded.  An archive in the last folder is deleted afterwards unless other sets are made
    from it."""
    *_, folder = places = folders(dataset)
    packed = next((place / archive.name for place in places if _is_file(place / archive.name)), None)
    if packed is None:
        packed = fetch_archive(archive, folder, dataset.mirrors, remedy)
    else:
        digest = _sha256_packed(packed)
        if digest not in archive.sha256:
            raise DataError(
                f"{packed}: not as published: expected SHA-256 {' or '.join(archive.sha256)}; got {digest}",
                hint="delete it",
            )
    log.info(f"Unpacking {packed}")
    try:
        unpack(packed, folder)
    except OSError as error:
        raise DataError(f"cannot write into {folder}: {error.strerror or error}", hint=remedy) from None
    shared = [other for other in SETS.values() if other.archive and folders(other) == places]
    if len(shared) == 1 and packed.parent == folder:
        packed.unlink()


def check(path: Path, file: File) -> None:
    """DataError unless a file is the published one.  Compared is the SHA-256 of its contents or of the gzip
    file, or the length if no SHA-256 is known."""
    if file.sha256:
        expected, got = f"contents of SHA-256 {file.sha256}", f"{sha256(path)}"
        right = got == file.sha256
    elif file.packed_sha256 and path.suffix == ".gz":
        expected, got = f"SHA-256 {file.packed_sha256}", _sha256_packed(path)
        right = got == file.packed_sha256
    else:
        length = sum(map(len, idx.contents(path)))
        expected, got, right = f"{file.nbytes} bytes", str(length), length == file.nbytes
    if not right:
        raise DataError(
            f"{path}: not as published: expected {expected}; got {got}",
            hint="delete the file and run the command again",
        )


def _sha256_packed(path: Path) -> str:
    """The SHA-256 of a file as it is, not unpacked."""
    digest = hashlib.sha256()
    file = Pieces(path)
    for at in range(0, file.nbytes, PIECE_BYTES):
        digest.update(file.read(at, min(PIECE_BYTES, file.nbytes - at)))
    return digest.hexdigest()


def present(path: Path) -> Path | None:
    """The first that exists of the file `path` and the one with .gz added to or removed from its name; None
    if neither does."""
    if not path.name:  # of the root, which no other stands beside
        return None
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    return next((candidate for candidate in (path, other) if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    """Whether a file of this name exists; False also for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long; a NUL
        return False


def sha256(path: Path) -> str:
    """The SHA-256 of the contents of a file, unpacked if it is gzip."""
    digest = hashlib.sha256()
    for piece in idx.contents(path):
        digest.update(piece)
    return digest.hexdigest()


def _labels_of(images: Path) -> Path:
    """The path of the file with the labels of a file of images."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    wanted = images.with_name(name)
    if wanted == images:
        raise DataError(
            f"{images}: cannot tell the file of labels: expected `images` in the name",
            hint="name the two files like train-images-idx3-ubyte and train-labels-idx1-ubyte",
        )
    labels = present(wanted)
    if labels is None:
        raise DataError(f"{images}: no labels beside it: expected {wanted}, plain or .gz")
    return labels
