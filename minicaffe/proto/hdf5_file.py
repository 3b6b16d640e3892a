"""Reading HDF5 files that may be damaged or made by an attacker.

An HDF5 file can send its reader anywhere: links lead into other files or in circles, values may lie in other
files (external storage, virtual datasets), a few bytes can describe any number of values, and a list that
leads back to itself (of free space, or around text of variable length) makes the library hang.  So links out
of the file are not followed, sizes are checked before memory is allocated, such lists are looked for before
the library sees them, and text is read here.  All modules that read HDF5 use this one.

h5py is imported on first use.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError, MiniCaffeError, locate
from ..files import LARGEST_BYTES, PIECE_BYTES, check_room, open_file, refuse_foreign_file

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEPTH = 200  # groups inside each other
LINKS = 32  # soft links on the way to one object

# What h5py raises for files that are damaged or not laid out as expected.
_FAILURES = (
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    OSError,
    RuntimeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_LOCAL_HEAP = struct.Struct("<4sB3xQQQ")  # HEAP, version, size of the values, first free block, values
_LAST_BLOCK = 1  # what follows the last free block
_HEAP_HEADER = struct.Struct("<4sB3xQ")  # GCOL, version, size of the collection
_HEAP_OBJECT = struct.Struct("<HH4xQ")  # number, references, size
_HEAP_POINTER = struct.Struct("<IQI")  # length of the text; where it lies: collection, number


@contextmanager
def opened(path: str | os.PathLike, error: type[MiniCaffeError], *, known: bool = False) -> Iterator[Any]:
    """The file, opened for reading while the `with` block runs.  An exception of h5py in the block becomes an
    `error`; every error names the file.  DataError if the file cannot be read.

    known  True if this process opened the file before; then the checks, which take about as long as reading
           it, are left out
    """
    import h5py

    if not known:
        refuse_foreign_file(path, SIGNATURE)
    with locate(os.fspath(path)):
        with open_file(path) as plain:
            if not known and not _is_signed(plain):
                raise error("not a whole HDF5 file of this kind (it has no signature of one)")
            if not known and any(_is_endless(plain, at) for at in _found(plain, b"HEAP")):
                raise error("not a whole HDF5 file: a list in it leads back to itself")
        try:
            with h5py.File(path, "r") as file:
                yield file
        except MiniCaffeError:
            raise
        except _FAILURES as failure:
            raise error(f"not a whole HDF5 file of this kind ({failure})") from None


def _is_signed(file: BinaryIO) -> bool:
    """Whether the file has the signature of HDF5, which may stand at byte 0, 512, 1024, 2048 and so on."""
    size, at = os.fstat(file.fileno()).st_size, 0
    while at < size:
        file.seek(at)
        if file.read(len(SIGNATURE)) == SIGNATURE:
            file.seek(0)
            return True
        at = at * 2 or 512
    return False


def _found(file: BinaryIO, word: bytes) -> Iterator[int]:
    """The offsets at which a word of bytes stands in a file."""
    start, rest = 0, b""  # of what is at hand, and the end of the piece before, where the word may begin
    while piece := file.read(PIECE_BYTES):
        data, at = rest + piece, -1
        while (at := data.find(word, at + 1)) >= 0:
            yield start + at
            file.seek(start + len(data))
        rest = data[len(data) - len(word) + 1 :]
        start += len(data) - len(rest)


def _is_endless(file: BinaryIO, at: int) -> bool:
    """Whether the free list of the local heap at offset `at`, which holds the names in a group, leads back to
    itself; HDF5 would follow it for ever.  False if there is no heap or something else is wrong with it."""
    size = os.fstat(file.fileno()).st_size
    file.seek(at)
    if len(header := file.read(_LOCAL_HEAP.size)) < _LOCAL_HEAP.size:
        return False
    _, _, _, block, values = _LOCAL_HEAP.unpack(header)
    seen: set[int] = set()
    while block not in seen:
        seen.add(block)
        if block == _LAST_BLOCK or values + block + 8 > size:
            return False
        file.seek(values + block)
        block = int.from_bytes(file.read(8), "little")
    return True


def find(group: Any, path: str) -> Any | None:
    """The group or dataset at a path inside a group; None if there is none.

    Soft links are followed inside the file.  DataError for links to other files and for links in a circle.
    """
    from h5py import Group, h5l

    links, parts = 0, _parts(path)
    while parts:
        if not isinstance(group, Group):
            return None
        name = parts.pop(0).encode("utf-8", "surrogateescape")
        if not group.id.links.exists(name):
            return None
        kind = group.id.links.get_info(name).type
        if kind == h5l.TYPE_HARD:
            group = group[name]
            continue
        if kind != h5l.TYPE_SOFT:
            raise DataError(f"{path!r} leads into another file, which is not followed", hint="copy it here")
        links += 1
        if links > LINKS:
            raise DataError(f"{path!r}: links that lead in circles")
        target = group.id.links.get_val(name).decode("utf-8", "surrogateescape")
        group = group.file["/"] if target.startswith("/") else group
        parts = _parts(target) + parts
    return group


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def members(top: Any) -> Iterator[tuple[str, Any]]:
    """All groups and datasets below a group, as path and object, in the order of their names.  A group comes
    before its members, and only once.  DataError for links other than hard ones."""
    from h5py import Dataset, Group, h5l, h5o

    seen = {h5o.get_info(top.id).addr}
    inside = [("", top, iter(top))]
    while inside:
        prefix, group, names = inside[-1]
        if (name := next(names, None)) is None:
            inside.pop()
            continue
        if not isinstance(name, str) or "/" in name or name in ("", "."):
            raise DataError(f"an object of the name {name!r}", hint="the file is damaged")
        path = f"{prefix}{name}"
        if group.id.links.get_info(name.encode()).type != h5l.TYPE_HARD:
            raise DataError(f"{path!r} is a link, which is not followed", hint="copy what it leads to")
        item = group[name]
        if isinstance(item, Group):
            if (address := h5o.get_info(item.id).addr) in seen:
                continue
            seen.add(address)
            if len(inside) >= DEPTH:
                raise DataError(f"groups {DEPTH} deep", hint="the file is damaged")
            inside.append((f"{path}/", item, iter(item)))
        elif not isinstance(item, Dataset):
            continue
        yield path, item


def check_datasets(datasets: Iterable[Any], largest_bytes: int = LARGEST_BYTES, dtype: Any = None) -> None:
    """Called before values are read: DataError if some lie in other files, or if all of them together would
    take more memory than `check_room` allows for a file of this size.  `dtype` is the type they are read
    into; the larger of it and the stored type counts."""
    from h5py import h5d

    total, largest_chunk, file = 0, 0, None
    for dataset in datasets:
        layout = dataset.id.get_create_plist()
        if layout.get_external_count() or layout.get_layout() == h5d.VIRTUAL:
            raise DataError(
                f"the values of {dataset.name!r} lie in other files, which are not read",
                hint="copy them here",
            )
        stored_as = dataset.id.get_type().get_size()
        itemsize = max(stored_as, np.dtype(dtype).itemsize if dtype else 0)
        total += math.prod(dataset.shape or ()) * itemsize
        largest_chunk = max(largest_chunk, math.prod(dataset.chunks or (0,)) * stored_as)  # unpacked whole
        file = dataset.file
    if file is not None:
        check_room(max(total, largest_chunk), os.path.getsize(file.filename), largest_bytes)


def read_string(dataset: Any) -> str:
    """The text in a dataset of one UTF-8 string.  ValueError if it holds something else."""
    kind = dataset.id.get_type()
    if dataset.size != 1 or not hasattr(kind, "is_variable_str"):
        raise ValueError(f"{dataset.name} is no text")
    check_datasets([dataset])
    if kind.is_variable_str():
        return _variable(dataset).decode()
    return bytes(np.asarray(dataset).reshape(())[()]).split(b"\0")[0].decode()


def _variable(dataset: Any) -> bytes:
    """The text of a dataset of variable length: the dataset says where in a global heap of the file it
    lies."""
    if dataset.chunks or dataset.file.userblock_size or dataset.id.get_storage_size() != _HEAP_POINTER.size:
        raise ValueError(f"{dataset.name} is stored in a way that is not read")
    with open_file(dataset.file.filename) as file:
        size = os.fstat(file.fileno()).st_size

        def take(at: int, count: int) -> bytes:
            if at + count > size:
                raise ValueError(f"the text of {dataset.name} lies beyond the end")
            file.seek(at)
            return file.read(count)

        nbytes, at, wanted = _HEAP_POINTER.unpack(take(dataset.id.get_offset(), _HEAP_POINTER.size))
        if not nbytes:
            return b""
        signature, version, length = _HEAP_HEADER.unpack(take(at, _HEAP_HEADER.size))
        if (signature, version) == (b"GCOL", 1):
            end, at = at + length, at + _HEAP_HEADER.size
            while at + _HEAP_OBJECT.size <= end:
                number, _, length = _HEAP_OBJECT.unpack(take(at, _HEAP_OBJECT.size))
                if number == wanted and nbytes <= length <= end - at:
                    return take(at + _HEAP_OBJECT.size, nbytes)
                if not number or number == wanted:
                    break
                at += _HEAP_OBJECT.size + -(-length // 8) * 8
    raise ValueError(f"the text of {dataset.name} is not where it says")
