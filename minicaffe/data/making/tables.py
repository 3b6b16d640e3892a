"""Images in tables: CSV files of pixels, Parquet files of image files."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError, extra, locate
from .. import class_folders, idx, images
from .sources import Source, classes_of
from .spool import Spool, Spooled

LABELS = ("label", "labels", "class", "target", "y", "fine_label")
IMAGES = ("image", "img", "images", "png", "jpg")
BLOCK_LINES = 512
LONGEST_LINE = 1 << 26  # bytes
BATCH_ROWS = 64


def pixels(
    path: str | os.PathLike, size: tuple[int, int] | None = None, scratch: str | os.PathLike | None = None
) -> Source:
    """A CSV, plain or gzip, of a row per image: its label and its pixels, whole numbers from 0 to 255, row by
    row of a grey image of `size`, or of a square where that does not fit.

    The first line may be a head; the label is then in the column called one of LABELS, the first or the last,
    else in the first.  Raises DataError, with the line, for what is none of that.
    """
    spool = Spool(scratch)
    try:
        lines = _lines(path)
        start = next(lines, (0, ""))
        try:
            fields = next(csv.reader([start[1]]), [])
        except csv.Error as error:
            raise DataError(f"{os.fspath(path)}: no CSV: {error}") from None
        if not fields:
            raise DataError(f"{os.fspath(path)}: no rows of pixels")
        head = not all(_is_number(field) for field in fields[1:-1] or ["no number"])
        named = [field.strip().lower() in LABELS for field in fields]
        last = head and named[-1]
        if head and not last and not named[0]:
            hint = f"labels are in the first column or the last, called {LABELS[0]}"
            if any(named):
                raise DataError(
                    f"{os.fspath(path)}: column {fields[named.index(True)]!r} stands among the pixels",
                    hint=hint,
                )
            if _square(len(fields)):
                raise DataError(
                    f"{os.fspath(path)}: no column of labels: the head begins with {fields[0][:40]!r}",
                    hint=hint,
                )
        count = len(fields) - 1
        shape = _shape(path, count, size)
        labels: list[str] = []
        block = [] if head else [start]
        for line in lines:
            block.append(line)
            if len(block) == BLOCK_LINES:
                labels += _rows(path, block, count, last, spool)
                block = []
        labels += _rows(path, block, count, last, spool)
        if not labels:
            raise DataError(f"{os.fspath(path)}: no rows of pixels")
        values = np.array(labels)
        if all(_is_number(label) for label in labels):
            values = values.astype(np.float64)
        classes, numbers = classes_of(values, path)
        names = [f"row {row}" for row in range(1, len(labels) + 1)]
        return Spooled(spool, (1, *shape), classes, numbers, names)
    except BaseException:
        spool.close()
        raise


def _shape(path: str | os.PathLike, count: int, size: tuple[int, int] | None) -> tuple[int, int]:
    if size is not None and math.prod(size) == count:
        return size
    if _square(count):
        return math.isqrt(count), math.isqrt(count)
    raise DataError(
        f"{os.fspath(path)}: {count} columns beside the label, which are the pixels of no square",
        hint="--size HxW gives height and width",
    )


def _square(count: int) -> bool:
    return count > 0 and math.isqrt(count) ** 2 == count


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """The lines of a text file, plain or gzip, with their numbers, but for empty ones; no more than a piece
    of the file is in memory."""
    rest, number = b"", 1
    for piece in idx.contents(path):
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise DataError(f"{os.fspath(path)}: no CSV: a line of more than {LONGEST_LINE} bytes")
        yield from ((at, text) for at, line in enumerate(whole, number) if (text := _decoded(line)))
        number += len(whole)
    if text := _decoded(rest):
        yield number, text


def _decoded(line: bytes) -> str:
    return line.decode("utf-8-sig", "replace").strip("\r\n")


def _rows(
    path: str | os.PathLike, lines: list[tuple[int, str]], count: int, last: bool, spool: Spool
) -> list[str]:
    """Append the pixels of some lines; their labels."""
    labels, rests = [], []
    for _, line in lines:
        label, _, rest = line.partition(",") if not last else line.rpartition(",")[::-1]
        labels.append(label.strip().strip('"'))
        rests.append(rest.replace('"', ""))
    if not lines:
        return []
    try:
        values = np.loadtxt(rests, delimiter=",", dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        values = np.zeros((0, 0))
    wrong = (
        values.shape != (len(lines), count)
        or not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all()
    )
    if wrong:
        raise _wrong_row(path, [number for number, _ in lines], rests, count)
    for row in values.astype(np.uint8):
        spool.append(row.data)
    return labels


def _wrong_row(path: str | os.PathLike, numbers: list[int], rests: list[str], count: int) -> DataError:
    """The error for the first row that is none."""
    for number, rest in zip(numbers, rests):
        fields = rest.split(",")
        where = f"{os.fspath(path)}: line {number}"
        if len(fields) != count:
            return DataError(f"{where}: expected a label and {count} pixels; got {len(fields)} pixels")
        for field in fields:
            if not _is_number(field) or not (0 <= float(field) <= 255 and float(field) % 1 == 0):
                return DataError(f"{where}: a pixel is a whole number from 0 to 255; got {field[:40]!r}")
    return DataError(f"{os.fspath(path)}: lines {numbers[0]} to {numbers[-1]}: no rows of pixels")


# -- Parquet


def parquet(path: str | os.PathLike, scratch: str | os.PathLike | None = None) -> Source:
    """A Parquet file, or a folder of them: a column of images, called one of IMAGES, of bytes or of structs
    with `bytes` and `path`; a column of labels, called one of LABELS, of whole numbers or texts.

    Classes are named by the feature ClassLabel in the schema's metadata "huggingface", if it is there.  Files
    whose names, or whose folders', begin with train, test or validation are those parts.  Images are copied
    to a spool, some at a time.  Files of images beside Parquet files are left out.

    Raises ConfigError without the package pyarrow, DataError for files that have another form.
    """
    root = Path(path)
    files = sorted(file for file in root.rglob("*.parquet") if file.is_file()) if root.is_dir() else [root]
    spool = Spool(scratch)
    try:
        labels: list[Any] = []
        names: list[str] = []
        parts: list[int | None] = []
        classes: list[str] | None = None
        for file in files:
            with locate(str(file)), _failures(), _table(file) as table:
                if not table.metadata.num_rows:
                    continue
                classes = classes or _named_classes(table.schema_arrow.metadata)
                found = _labels(table)
                for number, (data, name) in enumerate(_images(table)):
                    spool.append(data)
                    names.append(f"{file.name} row {number}" + (f" {name}" if name else ""))
                if len(spool) - len(labels) != len(found):
                    raise DataError("the columns have different lengths")
            labels += found
            parts += [_part(file.relative_to(root if root.is_dir() else root.parent))] * len(found)
        if not labels:
            raise DataError(f"{root}: no rows of images")
        if None in labels:
            raise DataError(f"{root}: {names[labels.index(None)]} has no label")
        kinds = {type(label) for label in labels}
        if not (kinds <= {int, float, bool} or kinds in ({str}, {bytes})):
            told = " and ".join(sorted(kind.__name__ for kind in kinds))
            raise DataError(f"{root}: labels must be whole numbers, or texts; got {told}")
        own, numbers = classes_of(np.array(labels), path)
        if classes is not None and not isinstance(labels[0], str):
            if len(classes) < len(own):
                raise DataError(f"{root}: {len(classes)} names of classes for labels up to {len(own) - 1}")
            own = classes
        given = None if None in parts else np.array(parts, np.int8)
        return Spooled(spool, None, own, numbers, names, given, _images_beside(root))
    except BaseException:
        spool.close()
        raise


def _images_beside(root: Path) -> list[tuple[str, str]]:
    """What a folder of Parquet files holds that may have been meant too, and why it is left out."""
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in images.ENDINGS)
    return [(str(path.relative_to(root)), "an image beside Parquet files") for path in found]


@contextmanager
def _table(file: Path) -> Iterator[Any]:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError("reading Parquet files needs the package pyarrow", hint=extra("parquet")) from None
    with pq.ParquetFile(file) as table:
        yield table


@contextmanager
def _failures() -> Iterator[None]:
    """What pyarrow raises for a damaged file, as DataError."""
    try:
        yield
    except (DataError, ConfigError):
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # ArrowInvalid is a ValueError
        raise DataError(
            f"no whole Parquet file: {str(error).splitlines()[0]}", hint="fetch it again"
        ) from None


def _column(table: Any, known: tuple[str, ...], what: str) -> str:
    names = table.schema_arrow.names
    for name in known:
        if name in names:
            return name
    raise DataError(f"no column of {what}: it has {', '.join(names)}", hint=f"call it {known[0]}")


def _labels(table: Any) -> list[Any]:
    column = _column(table, LABELS, "labels")
    return table.read(columns=[column]).column(0).to_pylist()


def _images(table: Any) -> Iterator[tuple[bytes, str]]:
    """The file of every image, and its name; no bytes where there is none."""
    import pyarrow as pa

    column = _column(table, IMAGES, "images")
    kind = table.schema_arrow.field(column).type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    if not binary and not (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
        raise DataError(f"column {column!r} must hold bytes, or structs with bytes; got {kind}")
    for batch in table.iter_batches(BATCH_ROWS, columns=[column]):
        for value in batch.column(0).to_pylist():
            if binary:
                yield value or b"", ""
            else:
                yield (value or {}).get("bytes") or b"", (value or {}).get("path") or ""


def _named_classes(metadata: dict[bytes, bytes] | None) -> list[str] | None:
    """The names that the feature ClassLabel of a label has in the metadata of a schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        for name in LABELS:
            if features.get(name, {}).get("_type") == "ClassLabel":
                return [str(entry) for entry in features[name]["names"]]
    except (KeyError, ValueError, TypeError, AttributeError):
        pass
    return None


def _part(path: Path) -> int | None:
    """The part that a file is of, by its name or its folder's: train-00000-of-00002.parquet."""
    for name in (path.stem, path.parent.name):
        word = name.lower().replace("_", "-").partition("-")[0]
        if word in class_folders.PARTS:
            return class_folders.PARTS[word]
    return None
