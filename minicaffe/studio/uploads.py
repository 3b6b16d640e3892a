"""What the page sends to make a data set of, kept in a folder until it is taken: never more than it may
be."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError
from ..files import PIECE_BYTES
from .make_main import ARCHIVE, FILES
from .unpacking import MOST_FILES, is_wanted, relative

MOST_ZIP_BYTES = 1 << 32
MOST_BYTES = 1 << 32  # of the files of an upload
OLD_S = 24 * 3600  # since it was begun: an upload that nobody took is removed
ID = re.compile(r"[0-9a-f]{16}")


class Uploads:
    """The uploads in a folder, each in one of its own whose name is its id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> str:
        """The id of a new one; old ones are removed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self.folder.iterdir():
            if time.time() - path.stat().st_mtime > OLD_S:
                shutil.rmtree(path, ignore_errors=True)
        id = secrets.token_hex(8)
        (self.folder / id / FILES).mkdir(parents=True)
        return id

    def home(self, id: str) -> Path | None:
        """The folder of an upload; None if there is none of this id."""
        path = self.folder / id
        return path if ID.fullmatch(id) and path.is_dir() else None

    def has(self, home: Path) -> dict[str, int]:
        """How many files, and bytes, an upload holds."""
        sizes = [file.stat().st_size for file in (home / FILES).rglob("*") if file.is_file()]
        if (home / ARCHIVE).exists():
            sizes.append((home / ARCHIVE).stat().st_size)
        return {"files": len(sizes), "bytes": sum(sizes)}

    def add(self, home: Path, files: list[tuple[str, BinaryIO]]) -> list[dict[str, str]]:
        """Keep files under the names that the page gave; those left out, and why.

        All names are looked at before the first is written.  DataError for one that is refused, and for too
        much.
        """
        names = [relative(name) for name, _ in files]
        held = self.has(home)
        room, left_out = MOST_BYTES - held["bytes"], []
        if held["files"] + len(files) > MOST_FILES:
            raise DataError(f"an upload may have {MOST_FILES} files", hint="send a zip, or name a folder")
        for path, (_, content) in zip(names, files):
            if not is_wanted(path):
                left_out.append({"file": str(path), "reason": "no image by its name"})
                continue
            target = home / FILES / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                room -= _copy(content, target, room)
            except OSError as error:
                raise DataError(f"{path}: cannot be kept: {error.strerror or error}") from None
        return left_out

    async def add_zip(self, home: Path, pieces: AsyncIterator[bytes]) -> None:
        """Keep a zip archive as it comes; DataError as soon as it is too large."""
        size = 0
        try:
            with open(home / ARCHIVE, "wb") as file:
                async for piece in pieces:
                    if (size := size + len(piece)) > MOST_ZIP_BYTES:
                        raise DataError(f"an archive may have {MOST_ZIP_BYTES >> 30} GiB", hint="send less")
                    file.write(piece)
        except BaseException:
            (home / ARCHIVE).unlink(missing_ok=True)
            raise

    def remove(self, home: Path) -> None:
        shutil.rmtree(home, ignore_errors=True)


def _copy(source: BinaryIO, target: Path, room: int) -> int:
    """Write a new file; how many bytes it has.  DataError if it is there already, or has more than `room`."""
    size = 0
    try:
        with open(target, "xb") as file:
            while piece := source.read(PIECE_BYTES):
                if (size := size + len(piece)) > room:
                    raise DataError(
                        f"an upload may have {MOST_BYTES >> 30} GiB", hint="name a folder instead"
                    )
                file.write(piece)
    except FileExistsError:
        raise DataError(f"{target.name} was sent twice", hint="give the files different names") from None
    except BaseException:
        os.unlink(target)
        raise
    return size


def shown(id: str, held: dict[str, int], left_out: list[dict[str, str]]) -> dict[str, Any]:
    """An upload as the page is told of it."""
    return {"id": id, **held, "left_out": left_out}
