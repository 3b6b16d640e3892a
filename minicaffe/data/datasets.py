"""The data sets that have a name.

A source is a part of a named set (catalogue.py), such as `mnist/train`, or a path to an IDX file of images,
whose labels are in the file beside it with `labels` for `images` and `idx1` for `idx3` or `idx4` in its name;
FOLDER/train stands for FOLDER/train-images-idx3-ubyte.  A range behind it takes a part:
`mnist/train[:45002]`, `mnist/train[75%:]` (ranges.py).

A named set is looked for in $MINICAFFE_DATA/<set>/, then in the user's cache, and downloaded if it is in
neither; `digits` comes with the package.  Files may be plain or gzip.
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
    """Images and their labels, in the order of the file."""

    images: np.ndarray | idx.Stored  # (N, C, H, W)
    labels: np.ndarray | None  # (N,)


def names() -> list[str]:
    """Every named source."""
    return [f"{dataset.name}/{split}" for dataset in SETS.values() for split in dataset.splits]


def named_part(source: str) -> tuple[DataSet, Split] | None:
    """The data set and the part that a named source speaks of, with a range or without; None for others."""
    dataset, _, split = ranges.without(source).partition("/")
    if dataset not in SETS or split not in SETS[dataset].splits:
        return None
    return SETS[dataset], SETS[dataset].splits[split]


def samples(source: str) -> int | None:
    """How many samples a named source has, in its range; None for others.  Opens no file; DataError for a
    range that the set lacks."""
    part = named_part(source)
    return len(ranges.rows(source, part[1].samples)) if part else None


def named(name: str) -> DataSet:
    """The data set called `name`; UnknownTypeError, with the closest names, if there is none."""
    if name not in SETS:
        raise UnknownTypeError(f"no data set {name!r}", hint=suggest(name, SETS))
    return SETS[name]


class Loaded(NamedTuple):
    """Samples in memory."""

    images: np.ndarray  # (N, C, H, W)
    labels: np.ndarray | None  # (N,)


def load(source: str, *, labels: bool = True, download: bool = True) -> Loaded:
    """The samples of a named set or an IDX file, in memory.  Everything else is as for `open_source`."""
    images, values = open_source(source, labels=labels, download=download)
    return Loaded(images.whole() if isinstance(images, idx.Stored) else images, values)


def open_source(
    source: str, *, labels: bool = True, download: bool = True, largest_bytes: int = LARGEST_BYTES
) -> Samples:
    """The samples of a named set or an IDX file, or a range of them; images of a large plain file stay there
    (idx.stored).  `labels` False leaves them out.

    Downloads a named set that is nowhere here if `download`.  Raises DataError for files that are missing,
    damaged, do not belong together, or would be unpacked to more than `largest_bytes`, and for a range that
    they do not have.
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
    chosen = images.part(rows) if isinstance(images, idx.Stored) else images[rows.start : rows.stop]
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
    """The files of a source that load() reads: images, and labels if wanted."""
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
    """The IDX file of images of a path, plain or gzip: itself, or, of a part of a data set that `data make`
    has written, photos-data/train, the one whose name begins so; None if there is neither."""
    path = Path(source)
    if (itself := present(path)) is not None:
        return itself
    names = [f"{path.name}-images-idx{axes}-ubyte" for axes in (3, 4)] if path.name else []
    return next(filter(None, (present(path.with_name(name)) for name in names)), None)


def find(dataset: DataSet, split: Split) -> tuple[Path, Path] | None:
    """The split's images and labels in the first folder that holds both; None if none does."""
    for folder in folders(dataset):
        images, labels = present(folder / split.images.name), present(folder / split.labels.name)
        if images and labels:
            return images, labels
    return None


def folders(dataset: DataSet) -> list[Path]:
    """Where a set is looked for, in order; what is downloaded goes to the last."""
    if not dataset.mirrors:
        return [PACKAGED / dataset.name]
    given, cache = os.environ.get("MINICAFFE_DATA"), user_cache()
    roots = ([Path(given)] if given else []) + ([cache / "data"] if cache else [])
    return [root / (dataset.folder or dataset.name) for root in roots]


def get(dataset: DataSet, split: Split) -> tuple[Path, Path]:
    """The split's images and labels in the user's cache, downloaded if they are not there."""
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
    """Make the files of a set, in the last of its folders, of the archive in the first that holds it;
    downloaded if none does.  The archive stays where other sets are made of it."""
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
    """DataError unless a file is as published: by the SHA-256 of its contents or of the gzip file, or, where
    none can be had, by its length."""
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
    """Of a file as it is."""
    digest = hashlib.sha256()
    file = Pieces(path)
    for at in range(0, file.nbytes, PIECE_BYTES):
        digest.update(file.read(at, min(PIECE_BYTES, file.nbytes - at)))
    return digest.hexdigest()


def present(path: Path) -> Path | None:
    """`path` as it is, with .gz appended or taken off: the first that is a file, or None."""
    if not path.name:  # of the root, which no other stands beside
        return None
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    return next((candidate for candidate in (path, other) if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; False for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long; a NUL
        return False


def sha256(path: Path) -> str:
    """Of the contents, unpacked."""
    digest = hashlib.sha256()
    for piece in idx.contents(path):
        digest.update(piece)
    return digest.hexdigest()


def _labels_of(images: Path) -> Path:
    """The file with the labels of a file of images."""
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
