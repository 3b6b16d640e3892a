"""Reading and writing LMDB databases of Datum records.  Writing imports the package lmdb on first use."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, extra, locate
from ..files import sync_folder
from ..proto.schema import Message
from . import class_folders, datum
from .images import Channels
from .lmdb_file import LmdbFile

FILE = "data.mdb"
GROUP = 1000  # records per transaction of the writer


class Database:
    """The records of an LMDB, in the order of their keys.

    path      the folder that holds data.mdb
    channels  what encoded images are decoded into

    The database is not locked, so that it may lie in a read-only folder; nobody may write to it at the same
    time.  Only one thread may use the object at a time.

    Raises DataError if there is no database, or it is damaged or empty.
    """

    def __init__(self, path: str | os.PathLike, channels: Channels = Channels.NATIVE) -> None:
        self.path, self.channels = os.fspath(path), channels
        self._records = _open(Path(path))
        if not len(self):
            raise DataError(f"{self.path}: the database holds no records")

    def __len__(self) -> int:
        return self._records.entries

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label of a record."""
        record = datum.parse(self.value(index))
        return datum.to_array(record, self.channels), record.label

    def value(self, index: int) -> bytes:
        """The bytes of a record."""
        return self._records.value(index)

    def label(self, index: int) -> int:
        """The label of a record, without decoding its image."""
        return datum.parse(self.value(index)).label

    def place(self, index: int) -> str:
        """The key of record `index` and the path of the database, for errors."""
        try:
            key = self._records.key(index)
        except DataError:  # damaged, so that the key is not known
            return f"{self.path}: record {index}"
        return f"{self.path}: record {key.decode('utf-8', 'backslashreplace')!r}"


class DatabaseWriter:
    """Writes a new LMDB, which appears at its path when the `with` block ends without an error.

        with DatabaseWriter("train_lmdb") as database:
            database.add(datum.from_array(image, label), "cat.png")

    A key is the number of the record and its name.  The number has eight digits, as in Caffe's
    convert_imageset, or `digits`.
    """

    def __init__(self, path: str | os.PathLike, digits: int = 8) -> None:
        self.path, self.digits = Path(path), digits
        self.count = 0
        self._skipped = 0
        if os.path.exists(self.path):
            raise DataError(f"{path}: exists already", hint="remove it, or choose another name")
        self._lmdb = _library()
        self._pending: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> DatabaseWriter:
        self._folder = self.path.with_name(f".{self.path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.path}: cannot be written: {reason}") from None
        # Nobody else sees the folder, so no lock; it is whole on the disk before it takes its name.
        with self._failures():
            self._store = self._lmdb.open(
                os.fspath(self._folder), map_size=1 << 26, lock=False, sync=False, max_dbs=0
            )
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if kind is None:
                self._commit()
                with self._failures():
                    self._store.sync(True)
            self._store.close()
            if kind is None:
                with self._failures():
                    os.rename(self._folder, self.path)
                sync_folder(self.path.parent)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Around code that writes: a full disk, and a database that somebody else made at the path meanwhile,
        become DataErrors."""
        try:
            yield
        except (OSError, self._lmdb.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.path}: cannot be written: {reason}") from None

    def add(self, record: Message, name: str = "") -> None:
        """Append a Datum."""
        number = self.count + self._skipped
        if number >= 10**self.digits:
            raise DataError(
                f"{self.path}: more than {10**self.digits} records do not sort by {self.digits} digits"
            )
        digits = f"{number:0{self.digits}d}"
        key = os.fsencode(f"{digits}_{name}" if name else digits)
        limit = self._store.max_key_size()
        if len(key) > limit:
            raise DataError(f"{self.path}: a key may have {limit} bytes; got {len(key)}: {name!r}")
        self._pending.append((key, record.SerializeToString()))
        self.count += 1
        if len(self._pending) == GROUP:
            self._commit()

    def skip(self) -> None:
        """Leave out the next number, so that no record has it."""
        self._skipped += 1

    def _commit(self) -> None:
        """Write the pending records.  If the memory map is too small for them, it is doubled until it
        suffices."""
        while True:
            with self._failures():
                try:
                    with self._store.begin(write=True) as transaction:
                        for key, value in self._pending:
                            transaction.put(key, value, append=True)
                    break
                except self._lmdb.MapFullError:
                    self._store.set_mapsize(2 * self._store.info()["map_size"])
        self._pending.clear()


def _open(folder: Path) -> LmdbFile:
    """Open the database in a folder for reading."""
    try:
        found = (folder / FILE).is_file()
    except (OSError, ValueError):  # a name that none can have
        found = False
    if not found:
        raise DataError(f"{folder}: no LMDB database: expected a folder with {FILE}", hint=_instead(folder))
    with locate(os.fspath(folder)):
        return LmdbFile(folder / FILE)


def _instead(folder: Path) -> str:
    if os.path.exists(folder / "CURRENT"):
        return "this is a LevelDB; make an LMDB of the images with convert_imageset -backend lmdb"
    if class_folders.is_one(os.fspath(folder)):
        return "this is a folder of folders; if they are classes, with images in them, set backend: FOLDER"
    there = os.path.exists(folder)
    return "data_param.source names the folder of the database" if there else "check the path"


def _library() -> ModuleType:
    try:
        import lmdb
    except ImportError:
        raise ConfigError("writing LMDB databases needs the package lmdb", hint=extra("lmdb")) from None
    return lmdb
