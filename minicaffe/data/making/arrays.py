"""Images and labels as NumPy stores them: .npz, or .npy with a file of labels beside it."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import DataError, locate
from ...files import LARGEST_BYTES, check_room, open_file
from .sources import Source, classes_of
from .spool import Spool, Spooled

IMAGES = ("images", "image", "x", "data", "pixels", "arr_0")
LABELS = ("labels", "label", "y", "target", "targets", "classes", "arr_1")
PARTS = ("train", "val", "test")
BLOCK_BYTES = 1 << 22


def arrays(
    path: str | os.PathLike,
    labels: str | os.PathLike | None = None,
    scratch: str | os.PathLike | None = None,
) -> Source:
    """The images of a .npz or .npy: (N, H, W), (N, H, W, C) or (N, C, H, W), C 1, 3 or 4 (red, green, blue,
    and an opacity that is not taken), of whole numbers from 0 to 255, or of truth values.

    In a .npz images are called one of IMAGES and labels one of LABELS, in any case; with _train, _val and
    _test behind, as in x_train, they are parts.  A .npy has its labels in `labels`, or in the file beside it
    with `labels` for `images` in its name, or NAME-labels.npy.  Labels are whole numbers, or texts.

    Images are copied to a spool some at a time, so that memory is bounded whatever they have; labels are in
    memory.  Raises DataError for what has another form.
    """
    spool = Spool(scratch)
    try:
        found = _zipped(path, labels) if os.fspath(path).lower().endswith(".npz") else [_plain(path, labels)]
        shapes, values = set(), []
        parts: list[int] = []
        for part, image_file, image_name, label_file, label_name in found:
            with locate(_place(image_file, image_name)):
                shapes.add(_copy(image_file, image_name, spool))
            with locate(_place(label_file, label_name)):
                values.append(_labels(label_file, label_name))
            count = len(spool) - len(parts)
            if len(values[-1]) != count:
                raise DataError(
                    f"{os.fspath(path)}: {len(values[-1])} labels in {label_name or label_file} for {count}"
                    f" images in {image_name or image_file}",
                    hint="the two do not belong together",
                )
            parts += [part] * count
        if len(shapes) != 1:
            raise DataError(f"{os.fspath(path)}: its parts have images of the shapes {sorted(shapes)}")
        classes, numbers = classes_of(np.concatenate(values), path)
        names = [
            f"{PARTS[part]} {index}" if len(found) > 1 else str(index) for index, part in enumerate(parts)
        ]
        return Spooled(spool, shapes.pop(), classes, numbers, names, np.array(parts, np.int8))
    except BaseException:
        spool.close()
        raise


_Pair = tuple[int, Path, str, Path, str]  # part; file and member of images; file and member of labels


def _zipped(path: str | os.PathLike, labels: str | os.PathLike | None) -> list[_Pair]:
    """The images and labels of a .npz, of each part if it has parts."""
    with locate(os.fspath(path)), _failures(), open_file(path) as file, zipfile.ZipFile(file) as zipped:
        names = [name.removesuffix(".npy") for name in zipped.namelist()]
    found: list[_Pair] = []
    whole = _member(names, IMAGES, "")
    for part, suffix in [(0, "")] if whole else list(enumerate(f"_{name}" for name in PARTS)):
        images = whole or _member(names, IMAGES, suffix)
        if images is None:
            continue
        if labels is not None:
            found.append((part, Path(path), images, Path(labels), ""))
        elif (own := _member(names, LABELS, suffix)) is not None:
            found.append((part, Path(path), images, Path(path), own))
        else:
            raise DataError(
                f"{os.fspath(path)}: no labels for {images!r}; it has {', '.join(names)}",
                hint=f"call them {LABELS[0]}{suffix}, or name their file with --labels",
            )
    if not found or (labels is not None and len(found) > 1):
        raise DataError(
            f"{os.fspath(path)}: cannot tell the images; it has {', '.join(names)}",
            hint=f"call them {' or '.join(IMAGES)}",
        )
    return found


def _member(names: list[str], known: tuple[str, ...], suffix: str) -> str | None:
    folded = {name.lower(): name for name in names}
    return next((folded[name + suffix] for name in known if name + suffix in folded), None)


def _plain(path: str | os.PathLike, labels: str | os.PathLike | None) -> _Pair:
    """A .npy and the file of its labels."""
    images = Path(path)
    if labels is not None:
        return 0, images, "", Path(labels), ""
    beside = [
        images.with_name(images.name.replace("images", "labels")),
        images.with_name(f"{images.stem}-labels.npy"),
        images.with_name(f"{images.stem}_labels.npy"),
        images.with_name("labels.npy"),
    ]
    for candidate in beside:
        if candidate != images and candidate.is_file():
            return 0, images, "", candidate, ""
    raise DataError(
        f"{images}: no labels beside it, such as {beside[1].name}", hint="--labels FILE names them"
    )


def _copy(path: Path, member: str, spool: Spool) -> tuple[int, ...]:
    """Append the images to the spool, (C, H, W) each, in the order blue, green, red; that shape."""
    with _opened(path, member) as file:
        shape, fortran, dtype = _header(file)
        axes, image = _layout(shape)
        if fortran:
            flat = np.frombuffer(_exactly(file, math.prod(shape) * dtype.itemsize, path, member), dtype)
            blocks: Iterator[np.ndarray] = iter([flat.reshape(shape, order="F")])
        else:
            blocks = _blocks(file, shape, dtype, path, member)
        for block in blocks:
            pixels = (block[:, None] if block.ndim == 3 else block).transpose(0, *axes)
            if image[0] == 4:
                pixels = pixels[:, :3]
            for one in np.ascontiguousarray(_bytes(pixels)[:, ::-1]):
                spool.append(one.reshape(-1).data)
        if file.read(1):
            raise DataError("more values than its header says")
    return (3, *image[1:]) if image[0] == 4 else image


def _layout(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of images of this shape: its axes in the order C, H, W, as `_copy` has them, and that shape of one."""
    if len(shape) == 3 and 0 not in shape:
        return (1, 2, 3), (1, *shape[1:])
    last, first = (len(shape) == 4 and 0 not in shape and shape[axis] in (1, 3, 4) for axis in (3, 1))
    if last == first:
        what = "the axis of the channels cannot be told" if last else "no bytes of images"
        raise DataError(f"{what}: expected (N, H, W), (N, H, W, C) or (N, C, H, W); got {shape}")
    return ((3, 1, 2), (shape[3], *shape[1:3])) if last else ((1, 2, 3), shape[1:])


def _blocks(
    file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype, path: Path, member: str
) -> Iterator[np.ndarray]:
    """An array in C order, some rows at a time."""
    row_bytes = max(math.prod(shape[1:]) * dtype.itemsize, 1)
    step = max(BLOCK_BYTES // row_bytes, 1)
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        yield np.frombuffer(_exactly(file, count * row_bytes, path, member), dtype).reshape(count, *shape[1:])


def _exactly(file: BinaryIO, nbytes: int, path: Path, member: str) -> bytes:
    """So many bytes; more than a plain file has, or than a packed one may become, are never asked for."""
    stored = 0 if member else os.path.getsize(path)
    if member:
        check_room(nbytes, stored, LARGEST_BYTES)
    data = file.read(nbytes) if member or nbytes <= stored else b""
    if len(data) != nbytes:
        raise DataError("cut short: fewer values than its header says", hint="fetch it again")
    return data


def _bytes(values: np.ndarray) -> np.ndarray:
    """Values as uint8: truth values become 0 and 255, others must be whole numbers that fit."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind not in "iuf":
        raise DataError(f"pixels must be numbers; got {values.dtype}")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255 and (values.dtype.kind != "f" or (values == np.floor(values)).all())):
        raise DataError(
            f"pixels must be whole numbers from 0 to 255; got {values.dtype} from {low} to {high}",
            hint="bring them to bytes: (255 * x).astype(np.uint8) if they go from 0 to 1",
        )
    return values.astype(np.uint8)


def _labels(path: Path, member: str) -> np.ndarray:
    """The labels, (N,): numbers or texts."""
    if not member and path.suffix.lower() == ".npz":
        raise DataError("labels come in a .npy", hint="np.save writes one")
    with _opened(path, member) as file:
        shape, _, dtype = _header(file)
        if len(shape) == 2 and shape[1] == 1:
            shape = shape[:1]
        if len(shape) != 1 or dtype.kind not in "iufUS":
            raise DataError(
                f"labels must be numbers or texts, (N,); got {dtype} {shape}",
                hint="of one-hot rows labels.argmax(1) are the numbers" if len(shape) == 2 else "",
            )
        return np.frombuffer(_exactly(file, shape[0] * dtype.itemsize, path, member), dtype)


@contextmanager
def _opened(path: Path, member: str) -> Iterator[BinaryIO]:
    """A .npy, or the member of a .npz."""
    with _failures(), open_file(path) as file:
        if not member:
            yield file
            return
        with zipfile.ZipFile(file) as zipped, zipped.open(f"{member}.npy") as inside:
            yield inside  # type: ignore[misc]


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type of the array in a .npy."""
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in read:
        raise DataError(f"version {version} of the format .npy; expected 1.0 or 2.0")
    shape, fortran, dtype = read[version](file)
    if dtype.hasobject:
        raise DataError("an array of Python objects, which may run code when it is read", hint="use numbers")
    return shape, fortran, dtype


@contextmanager
def _failures() -> Iterator[None]:
    """What is wrong with a file as DataError."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError) as error:
        # a RuntimeError for an encrypted file, and NotImplementedError, which is one, for unknown compression
        raise DataError(
            f"no whole file of NumPy: {error}", hint="numpy.save and numpy.savez write them"
        ) from None


def _place(path: Path, member: str) -> str:
    return f"{path}: {member}" if member else str(path)
