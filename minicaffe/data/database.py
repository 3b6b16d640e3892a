"""LMDB databases of Datum records, read and written; lmdb is imported on first use."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, locate
from ..files import sync_folder
from ..proto.schema import Message
from . import datum
from .images import Channels

FILE = "data.mdb"
GROUP = 1000  # records per transaction of the writer
CLOSING_S, CLOSING_TRIES = 2.0, 200  # how long a thread may take to close a store, and looks meanwhile


class Database:
    """The records of an LMDB, in the order of their keys.

    path      the folder that holds data.mdb
    channels  what encoded images are decoded into

    Read from the first record to the last, it walks along; the first step elsewhere lists all keys.  It takes
    no lock, so that a read-only folder will do: nobody may write to the database meanwhile.  One thread at a
    time.

    Raises DataError if there is no database, or it is damaged or empty.
    """

    def __init__(self, path: str | os.PathLike, channels: Channels = Channels.NATIVE) -> None:
        self.path, self.channels = os.fspath(path), channels
        self._store = _open(Path(path))
        self._cursor = self._store.begin().cursor()
        self._at = -1  # the record under the cursor
        if not len(self):
            raise DataError(f"{self.path}: the database holds no records")

    def __len__(self) -> int:
        return self._store.stat()["entries"]

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image (C, H, W) and label of a record."""
        record = datum.parse(self._value(index))
        return datum.to_array(record, self.channels), record.label

    def label(self, index: int) -> int:
        """Label of a record; its image is not decoded."""
        return datum.parse(self._value(index)).label

    def place(self, index: int) -> str:
        """Where a record is, for errors."""
        try:
            key = self._cursor.key() if index == self._at else self._keys[index]
        except DataError:  # damaged, so that the keys are not known
            return f"{self.path}: record {index}"
        return f"{self.path}: record {key.decode('utf-8', 'backslashreplace')!r}"

    def _value(self, index: int) -> bytes:
        with _damage():
            if index == 0:
                found = self._cursor.first()
            elif index == self._at + 1:
                found = self._cursor.next()
            else:
                found = index == self._at or self._cursor.set_key(self._keys[index])
            if not found:
                raise DataError(f"the database is damaged: it ends before record {index}")
            self._at = index
            return self._cursor.value()

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        with _damage(), self._store.begin() as transaction:
            return list(transaction.cursor().iternext(values=False))


class DatabaseWriter:
    """Writes a new LMDB, which appears under its name when the `with` block ends without an error.

        with DatabaseWriter("train_lmdb") as database:
            database.add(datum.from_array(image, label), "cat.png")

    Keys are the record's number and its name: in eight digits as in Caffe's convert_imageset, or in `digits`.
    """

    def __init__(self, path: str | os.PathLike, digits: int = 8) -> None:
        self.path, self.digits = Path(path), digits
        self.count = 0
        self._skipped = 0
        if self.path.exists():
            raise DataError(f"{path}: exists already", hint="remove it, or choose another name")
        self._lmdb = _library()
        self._pending: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> DatabaseWriter:
        self._folder = self.path.with_name(f".{self.path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        # Nobody else sees the folder, so no lock; it is whole on the disk before it takes its name.
        with self._failures():
            self._store = self._lmdb.open(
                os.fspath(self._folder), map_size=1 << 26, lock=False, sync=False, max_dbs=0
            )
        return self

    def __exit__(self, kind, error, trace) -> None:
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
        """A full disk, or another's database under the name meanwhile, as DataError."""
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
        """Leave the next number out: no record will have it."""
        self._skipped += 1

    def _commit(self) -> None:
        """Write what is pending, in twice the room as often as it does not suffice."""
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


@contextmanager
def _damage() -> Iterator[None]:
    """What lmdb raises for pages that are none, as DataError."""
    try:
        yield
    except _library().Error as error:
        raise DataError(f"the database is damaged: {error}", hint="fetch or make it again") from None


# A process may open an LMDB only once; nets that read the same one share it.
_stores: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()


def _open(folder: Path) -> Any:
    """The store in a folder, opened for reading."""
    lmdb, file = _library(), folder / FILE
    try:
        status = file.stat()
    except OSError:
        raise DataError(
            f"{folder}: no LMDB database: expected a folder with {FILE}", hint=_instead(folder)
        ) from None
    key = (status.st_dev, status.st_ino)
    if (store := _stores.get(key)) is None:
        with locate(os.fspath(folder)):
            try:
                store = _opened(lmdb, os.fspath(folder))
            except lmdb.Error as error:
                reason = str(error).removeprefix(f"{folder}: ")
                raise DataError(f"not a readable LMDB database: {reason}") from None
            whole = (store.info()["last_pgno"] + 1) * store.stat()["psize"]
            if status.st_size < whole:  # reading beyond the end would kill the process
                raise DataError(
                    f"{FILE} must have {whole} bytes; got {status.st_size}",
                    hint="the file is cut short; fetch it again",
                )
        _stores[key] = store
    return store


def _opened(lmdb: ModuleType, folder: str) -> Any:
    """lmdb.open, after the thread that read ahead for a net of before, and is about to close it, has done
    so."""
    for _ in range(CLOSING_TRIES):
        try:
            return lmdb.open(folder, readonly=True, lock=False, max_dbs=0)
        except lmdb.Error as error:
            if "already open" not in str(error):
                raise
            time.sleep(CLOSING_S / CLOSING_TRIES)
    return lmdb.open(folder, readonly=True, lock=False, max_dbs=0)


def _instead(folder: Path) -> str:
    if (folder / "CURRENT").exists():
        return "this is a LevelDB; make an LMDB of the images with convert_imageset -backend lmdb"
    return "check the path" if not folder.exists() else "data_param.source names the folder of the database"


def _library() -> ModuleType:
    try:
        import lmdb
    except ImportError:
        raise ConfigError(
            "LMDB databases need the package lmdb", hint="pip install 'minicaffe[lmdb]'"
        ) from None
    return lmdb
