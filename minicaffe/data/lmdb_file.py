"""Reading the records of an LMDB file, page by page.

The file is a sequence of pages.  The first two are meta pages.  Each describes a state of the database: the
root of a tree, its depth, and how much it holds; the one with the higher transaction number is valid.  A page
of the tree is

    page number (8 bytes), -, flags (2), lower (2), upper (2), offsets of its nodes (2 each, up to lower)

Branch pages lead to pages of the next level.  Leaf pages, all on the last level, hold the records in the
order of their keys; a value too long for a leaf is in overflow pages.

The library LMDB maps the file into memory and trusts it: a damaged file, or one that another program cuts
short, kills the process.  Here every number is checked against the file before it is used.

Source: H. Chu, OpenLDAP's mdb.c 0.9, "struct MDB_page", "MDB_node", "MDB_meta"; 64-bit, little-endian.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import DataError
from .pieces import Pieces

MAGIC, VERSION = 0xBEEFC0DE, 1
PAGE_BYTES = [1 << k for k in range(8, 16)]  # that a page may have
DEPTH = 32  # levels of a tree, at most
BRANCH, LEAF, OVERFLOW = 1, 2, 4  # flags of pages
KINDS = BRANCH | LEAF | OVERFLOW | 8 | 0x20 | 0x40  # the flags that say what a page is
IN_OVERFLOW = 1  # flag of a node

PAGE = struct.Struct("<Q2xHHH")
PAGE_OVERFLOW = struct.Struct("<Q2xHI")  # the last: how many pages
META = struct.Struct("<II16x")  # after the page's own header: magic, version, address and size of the map
# Size of a page, flags, depth, branch pages, leaf pages, overflow pages, entries, root.
DB = struct.Struct("<IHHQQQQQ")
AFTER = struct.Struct("<QQ")  # last page, transaction
NODE = struct.Struct("<HHHH")  # size of the value (low, high), flags, size of the key; in a branch, its page
REMEDY = "fetch or make it again"
META_BYTES = PAGE.size + META.size + 2 * DB.size + AFTER.size


class Meta(NamedTuple):
    """The contents of a meta page.  Sizes are in pages; `last` is the number of the last page in use."""

    page_bytes: int
    depth: int
    branches: int
    leaves: int
    entries: int
    root: int
    last: int
    transaction: int


class LmdbFile:
    """The records of an LMDB by number, in the order of their keys.

    path     the file, data.mdb
    entries  how many records there are

    The leaves are searched from the first on as far as a record needs it, and remembered.  Nobody may write
    to the database meanwhile, and only one thread may use the object at a time.  Raises DataError for a file
    that is no LMDB or damaged.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._tree = _Tree(path)
        self.entries = self._tree.meta.entries
        self._walk = self._tree.leaves()
        self._pages: list[int] = []  # the leaves found so far
        self._ends: list[int] = []  # the number of records in them and those before
        self._page = -1  # the leaf at hand
        self._data = memoryview(b"")
        self._offsets: tuple[int, ...] = ()

    def key(self, index: int) -> bytes:
        node = self._node(index)
        return bytes(self._data[node.key : node.value])

    def value(self, index: int) -> bytes:
        node = self._node(index)
        if not node.flags & IN_OVERFLOW:
            return bytes(self._data[node.value : node.value + node.size])
        page = int.from_bytes(self._data[node.value : node.value + 8], "little")
        return self._tree.overflow(page, node.size)

    def _node(self, index: int) -> _Node:
        """Where a record is in its leaf; the leaf is loaded if it is not the current one."""
        while not self._ends or index >= self._ends[-1]:
            page, count = next(self._walk, (0, 0))
            if not page:
                raise DataError(f"the database is damaged: it ends before record {index}", hint=REMEDY)
            self._pages.append(page)
            self._ends.append(count + (self._ends[-1] if self._ends else 0))
        k = bisect_right(self._ends, index)
        if self._pages[k] != self._page:
            self._data, self._offsets = self._tree.read(self._pages[k], LEAF)
            self._page = self._pages[k]
        at = self._offsets[index - self._ends[k]]  # counted from the leaf's end
        low, high, flags, length = NODE.unpack_from(self._data, at)
        if flags & ~IN_OVERFLOW:
            raise DataError(
                "a database with several values for a key, or with databases in it",
                hint="Caffe's have one Datum for each key",
            )
        node = _Node(at + NODE.size, at + NODE.size + length, low | high << 16, flags)
        if node.value + (8 if flags & IN_OVERFLOW else node.size) > len(self._data):
            raise self._tree.damage(self._page, "a record that reaches beyond it")
        return node


class _Node(NamedTuple):
    """Where a record is in its leaf: the offsets of its key and its value, and the length of the value."""

    key: int
    value: int
    size: int
    flags: int


class _Tree:
    """The pages of the file.  Each is checked against the meta page and the file's length when it is read."""

    def __init__(self, path: str | os.PathLike) -> None:
        self._file = Pieces(path)
        self.meta = self._newest()

    def leaves(self) -> Iterator[tuple[int, int]]:
        """The numbers of the leaf pages in order, each with the number of its records."""
        meta = self.meta
        left = {BRANCH: meta.branches, LEAF: meta.leaves}  # a page that is met again and again exceeds them
        ahead = [iter([meta.root])] if meta.entries else []
        while ahead:
            if (page := next(ahead[-1], None)) is None:
                ahead.pop()
                continue
            kind = LEAF if len(ahead) == meta.depth else BRANCH
            data, offsets = self.read(page, kind)
            left[kind] -= 1
            if left[kind] < 0:
                raise self.damage(page, "part of a tree larger than the database")
            if kind == LEAF:
                yield page, len(offsets)
            else:
                ahead.append(iter([_child(data, at) for at in offsets]))

    def read(self, page: int, kind: int) -> tuple[memoryview, tuple[int, ...]]:
        """The contents of a branch or leaf page and the offsets of its nodes."""
        if not self._within(page):
            raise DataError(
                f"the database is damaged: page {page} lies beyond the last, {self.meta.last}", hint=REMEDY
            )
        size = self.meta.page_bytes
        data = self._file.read(page * size, size)
        number, flags, lower, upper = PAGE.unpack_from(data)
        if number != page or flags & KINDS != kind or not PAGE.size + 2 <= lower <= upper <= size:
            raise self.damage(page, f"no {'leaf' if kind == LEAF else 'branch'} of the tree")
        offsets = struct.unpack_from(f"<{(lower - PAGE.size) // 2}H", data, PAGE.size)
        if min(offsets) < upper or max(offsets) > size - NODE.size:
            raise self.damage(page, "nodes that lie outside it")
        return data, offsets

    def overflow(self, page: int, size: int) -> bytes:
        """The value of `size` bytes in the overflow pages from `page` on."""
        page_bytes, nbytes = self.meta.page_bytes, PAGE.size + size
        pages = -(-nbytes // page_bytes)
        if not (self._within(page) and self._within(page + pages - 1)):
            raise self.damage(page, f"a value of {size} bytes, beyond the end of the database")
        data = self._file.read(page * page_bytes, nbytes)
        number, flags, count = PAGE_OVERFLOW.unpack_from(data)
        if number != page or flags & KINDS != OVERFLOW or count < pages:
            raise self.damage(page, f"no value of {size} bytes")
        return bytes(data[PAGE.size :])

    def _within(self, page: int) -> bool:
        return 1 < page <= self.meta.last

    @staticmethod
    def damage(page: int, what: str) -> DataError:
        return DataError(f"the database is damaged: page {page} holds {what}", hint=REMEDY)

    # -- the meta pages

    def _newest(self) -> Meta:
        """The valid one of the two meta pages; DataError if the file does not hold what it describes."""
        first = self._meta_at(0)
        metas = [first, self._meta_at(first.page_bytes)]
        meta = max(metas, key=lambda meta: meta.transaction)
        whole = (meta.last + 1) * first.page_bytes
        if self._file.nbytes < whole:
            raise DataError(
                f"{os.path.basename(self._file.path)} must have {whole} bytes; got {self._file.nbytes}",
                hint="the file is cut short; fetch it again",
            )
        most = meta.leaves * (first.page_bytes // (NODE.size + 2))  # records that the leaves have room for
        if meta.branches + meta.leaves > meta.last or meta.entries > most or meta.depth > DEPTH:
            raise DataError(f"the database is damaged: its header says {meta}", hint=REMEDY)
        return meta._replace(page_bytes=first.page_bytes)

    def _meta_at(self, at: int) -> Meta:
        if self._file.nbytes < at + META_BYTES:
            raise self._not_lmdb(f"it has {self._file.nbytes} bytes")
        data = self._file.read(at, META_BYTES)
        magic, version = META.unpack_from(data, PAGE.size)
        if magic != MAGIC:
            if int.from_bytes(data[12:16], "little") == MAGIC:
                raise self._not_lmdb("it was made by a 32-bit program")
            raise self._not_lmdb("it is of another kind, or damaged")
        if version != VERSION:
            raise self._not_lmdb(f"version {version} of the format; expected {VERSION}")
        page_bytes = DB.unpack_from(data, PAGE.size + META.size)[0]
        _, _, depth, branches, leaves, _, entries, root = DB.unpack_from(
            data, PAGE.size + META.size + DB.size
        )
        last, transaction = AFTER.unpack_from(data, META_BYTES - AFTER.size)
        if page_bytes not in PAGE_BYTES:
            raise self._not_lmdb(f"pages of {page_bytes} bytes")
        return Meta(page_bytes, depth, branches, leaves, entries, root, last, transaction)

    @staticmethod
    def _not_lmdb(why: str) -> DataError:
        return DataError(f"not a readable LMDB database: {why}", hint=REMEDY)


def _child(data: memoryview, at: int) -> int:
    """The number of the page that a node of a branch page leads to."""
    low, middle, high, _ = NODE.unpack_from(data, at)
    return low | middle << 16 | high << 32
