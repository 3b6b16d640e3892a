"""The source of a path, of whatever kind it is."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ConfigError, DataError
from .. import images
from . import arrays, sources, tables


def open_source(
    path: str | os.PathLike,
    *,
    labels: str | os.PathLike | None = None,
    root: str | None = None,
    size: tuple[int, int] | None = None,
    scratch: str | os.PathLike | None = None,
) -> sources.Source:
    """The source of a path, of the kind that its name and what is there tell.

    folder           of class folders; of Parquet files, if it has any
    .npz, .npy       images, labels in the same file, beside it, or in `labels`
    .csv, .csv.gz    a row of label and pixels per image, of `size` unless square
    .parquet         a table of images as public hubs have them
    any other file   a list of paths and labels; `root` is put before every path

    What cannot be read image by image is unpacked to a file without a name in the folder `scratch`.
    """
    name = os.fspath(path).lower()
    if not os.path.exists(path):
        raise DataError(f"no such file or folder: {os.fspath(path)!r}")
    kind = _kind(path, name)
    if labels is not None and kind != "array":
        raise ConfigError("--labels names the labels of a .npy or .npz file", hint="leave it out")
    if root is not None and kind != "list":
        raise ConfigError("--root goes before the paths of a list", hint="leave it out")
    if kind == "parquet":
        return tables.parquet(path, scratch)
    if kind == "folder":
        return sources.class_folder(path)
    if kind == "image":
        raise DataError(
            f"{os.fspath(path)}: one image is no data set", hint="give a folder with a folder for each class"
        )
    if kind == "array":
        return arrays.arrays(path, labels, scratch)
    if kind == "csv":
        return tables.pixels(path, size, scratch)
    return sources.listed(path, root)


def _kind(path: str | os.PathLike, name: str) -> str:
    if os.path.isdir(path):
        return "parquet" if any(file.is_file() for file in Path(path).rglob("*.parquet")) else "folder"
    if name.endswith((".npz", ".npy")):
        return "array"
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    if os.path.splitext(name)[1] in images.ENDINGS:
        return "image"
    return "parquet" if name.endswith((".parquet", ".pq")) else "list"
