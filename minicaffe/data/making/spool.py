"""Images out of a file that cannot be read one by one, kept where they can."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Sequence

import numpy as np

from ...errors import DataError
from .sources import Source


class Spool:
    """Pieces of bytes, appended one after the other and read in any order, by any number of threads.

    They lie in a file without a name in `folder`, which is gone when the process ends, however it does.
    """

    def __init__(self, folder: str | os.PathLike | None) -> None:
        self._folder = folder or tempfile.gettempdir()
        self._file = tempfile.TemporaryFile(dir=None if folder is None else os.fspath(folder))
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, data: bytes | memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as error:  # here, lest it be taken for an error of what is read
            raise DataError(f"cannot write {self._folder}: {error.strerror or error}") from None
        self._ends.append(self._ends[-1] + len(data))

    def read(self, index: int) -> bytes:
        start, end = self._ends[index], self._ends[index + 1]
        return os.pread(self._file.fileno(), end - start, start)

    def flush(self) -> None:
        """What was appended can be read."""
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Spooled(Source):
    """Images that lie in a spool: of one `shape` (C, H, W), blue, green, red; or, without one, as files."""

    def __init__(
        self,
        spool: Spool,
        shape: tuple[int, ...] | None,
        classes: Sequence[str],
        labels: np.ndarray,
        names: Sequence[str],
        parts: np.ndarray | None = None,
        left_out: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(classes, labels, names, left_out, parts)
        self._spool, self._shape = spool, shape
        spool.flush()

    def read(self, index: int) -> bytes | np.ndarray:
        data = self._spool.read(index)
        if not data:
            raise DataError("an empty file")
        return data if self._shape is None else np.frombuffer(data, np.uint8).reshape(self._shape)

    def close(self) -> None:
        self._spool.close()
