"""Making IDX files from the archives in which some data sets are published.

Each function takes the archive and the folder for the files, and writes all files of the set, or, if there is
an error, none.  DataError if an archive does not contain what it should.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from ..files import write_together
from . import idx

EMNIST_SIDE, BLOCK = 28, 4096  # pixels; images at a time
CIFAR_BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
CIFAR_SHAPE, CIFAR_COUNT = (3, 32, 32), 10_000  # of an image; images in a batch


def cifar10(archive: Path, folder: Path) -> None:
    """Make the files of CIFAR-10 from its binary version, whose records are a label and 32 x 32 pixels of
    red, green and blue.  Channels are stored in the order blue, green, red."""
    with _failures(archive), tarfile.open(archive, "r:gz") as packed:
        records = {
            name: _records(packed, member)
            for member in packed
            if (name := os.path.basename(member.name)) in sum(CIFAR_BATCHES.values(), ())
        }
    contents = {}
    for split, batches in CIFAR_BATCHES.items():
        if missing := [name for name in batches if name not in records]:
            raise DataError(f"{archive}: holds no {missing[0]}", hint="delete it")
        rows = np.concatenate([records[name] for name in batches])
        images = rows[:, 1:].reshape(-1, *CIFAR_SHAPE)[:, ::-1]
        header = partial(idx.first_bytes, dtype=np.dtype(np.uint8))
        contents[folder / f"{split}-images-idx4-ubyte"] = header(images.shape) + images.tobytes()
        contents[folder / f"{split}-labels-idx1-ubyte"] = header((len(rows),)) + rows[:, 0].tobytes()
    folder.mkdir(parents=True, exist_ok=True)
    write_together(contents)


def _records(packed: tarfile.TarFile, member: tarfile.TarInfo) -> np.ndarray:
    """The records of one file of the archive, (N, 3073)."""
    file = packed.extractfile(member)
    size = 1 + int(np.prod(CIFAR_SHAPE))
    data = file.read(CIFAR_COUNT * size + 1) if file is not None else b""
    if len(data) != CIFAR_COUNT * size:
        raise DataError(f"{member.name} must have {CIFAR_COUNT * size} bytes")
    return np.frombuffer(data, np.uint8).reshape(CIFAR_COUNT, size)


def emnist(part: str, counts: Mapping[str, int], first_label: int, archive: Path, folder: Path) -> None:
    """Make the files of one part of EMNIST from gzip.zip, which contains gzip files of IDX for all parts.
    Its images are transposed, which is undone; labels are changed to begin at 0."""
    contents = {}
    for split, count in counts.items():
        for kind, axes in (("images", 3), ("labels", 1)):
            shape = (count, EMNIST_SIDE, EMNIST_SIDE)[:axes]
            member = f"gzip/emnist-{part}-{split}-{kind}-idx{axes}-ubyte.gz"
            name = f"{part}-{split}-{kind}-idx{axes}-ubyte"
            contents[folder / name] = partial(_upright, archive, member, shape, first_label)
    folder.mkdir(parents=True, exist_ok=True)
    write_together(contents)


def _upright(archive: Path, member: str, shape: tuple[int, ...], first_label: int, out: BinaryIO) -> None:
    """Copy one IDX file of the archive to `out`: images are transposed, `first_label` is subtracted from
    labels."""
    header = idx.first_bytes(shape, np.dtype(np.uint8))
    with _failures(archive), zipfile.ZipFile(archive) as zipped, zipped.open(member) as packed:
        with gzip.open(packed) as file:
            if file.read(len(header)) != header:
                raise DataError(f"{archive}: {member} has no {' x '.join(map(str, shape))} bytes")
            out.write(header)
            for start in range(0, shape[0], BLOCK):
                rows = (min(BLOCK, shape[0] - start), *shape[1:])
                values = np.frombuffer(file.read(int(np.prod(rows))), np.uint8).reshape(rows)
                out.write((values.swapaxes(1, 2) if len(rows) == 3 else values - first_label).tobytes())
            if file.read(1):
                raise DataError(f"{archive}: {member} is longer than it says")


@contextmanager
def _failures(archive: Path) -> Iterator[None]:
    """Around code that reads an archive: what the libraries raise for a damaged archive becomes a
    DataError."""
    try:
        yield
    except DataError:
        raise
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise DataError(f"{archive}: damaged, or of another kind: {error}", hint="delete it") from None
