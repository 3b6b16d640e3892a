"""Files that come from a page: which names they may have, and how a zip archive of them is unpacked."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ..data.images import ENDINGS
from ..errors import DataError, locate
from ..files import PIECE_BYTES

TABLES = (".npz", ".npy", ".csv", ".csv.gz", ".parquet")  # sources that are one file
MOST_FILES = 200_000
MOST_BYTES = 1 << 33  # of all files of an upload, unpacked
SMALL_BYTES, MOST_TIMES = 1 << 28, 100  # an archive may grow to the first, or by this factor
LONGEST_NAME, LONGEST_PATH, DEEPEST = 200, 1000, 12
ENCRYPTED = 0x1


def relative(name: str) -> PurePosixPath:
    """The path, inside an upload, that a name means.

    DataError for whatever could mean a place elsewhere, or no file at all: a root or a drive, `..`, a
    backslash, a character that has no visible shape, or more than a file system takes.  Nothing is
    repaired: who sends such a name does not mean well, or would not find the file again.
    """
    path = PurePosixPath(name)
    parts = name.rstrip("/").split("/")
    wrong = (
        not name
        or not name.isprintable()
        or "\\" in name
        or name.startswith("/")
        or (len(name) > 1 and name[1] == ":")
        or any(part in ("", ".", "..") for part in parts)
    )
    if wrong:
        raise DataError(
            f"the name {name[:200]!r} is refused: expected folders and a file, such as cats/1.jpg",
            hint="rename the file, and send it again",
        )
    longest = max(len(os.fsencode(part)) for part in parts)
    if longest > LONGEST_NAME or len(os.fsencode(name)) > LONGEST_PATH or len(parts) > DEEPEST:
        raise DataError(
            f"the name {name[:60]!r}... is too long: {LONGEST_NAME} bytes a folder, {LONGEST_PATH} in all,"
            f" and {DEEPEST} folders are the most",
            hint="rename the file, and send it again",
        )
    return path


def is_wanted(path: PurePosixPath) -> bool:
    """Whether a file of this name can be part of a data set; others are left where they are."""
    name = path.name.lower()
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and (path.suffix.lower() in ENDINGS or name.endswith(TABLES) or name == "labels.txt")


def unpack(archive: Path, folder: Path, tell: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Unpack the images and tables of a zip archive into a folder; how many there are.

    Nothing is written before all names and sizes have been looked at.  DataError for an archive that is
    damaged, encrypted, would become too large, or holds a name that is refused, a link, or two files of one
    name.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = _wanted(opened, archive.stat().st_size)
            room = shutil.disk_usage(folder).free
            if (size := sum(info.file_size for info, _ in wanted)) > room:
                raise DataError(f"the archive unpacks to {size} bytes; the disk has {room} left")
            for done, (info, path) in enumerate(wanted):
                tell(done, len(wanted))
                with locate(str(path)):
                    _copy(opened, info, folder / path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(f"the archive cannot be unpacked: {error.strerror}") from None
        raise DataError(f"no whole zip archive: {error}", hint="make it anew") from None
    if not wanted:
        raise DataError(
            "the archive holds no images", hint="put a folder with images for each class in it: cats/1.jpg"
        )
    return len(wanted)


def _wanted(opened: zipfile.ZipFile, archive_bytes: int) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files to unpack, once everything has been looked at."""
    entries = opened.infolist()
    if len(entries) > MOST_FILES:
        raise DataError(f"the archive has {len(entries)} files; {MOST_FILES} is the most")
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in entries:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{info.filename[:200]!r} is a link or a device", hint="put the file itself in")
        path = relative(info.filename)
        if info.is_dir() or not is_wanted(path):
            continue
        if info.flag_bits & ENCRYPTED:
            raise DataError("the archive is encrypted", hint="make one without a password")
        if path in found:
            raise DataError(f"the archive has two files {info.filename[:200]!r}")
        found[path] = info
    size = sum(info.file_size for info in found.values())
    if size > MOST_BYTES or size > max(SMALL_BYTES, MOST_TIMES * archive_bytes):
        raise DataError(
            f"the archive of {archive_bytes} bytes would unpack to {size} bytes",
            hint=f"{MOST_TIMES} times its size, and {MOST_BYTES >> 30} GiB, is the most",
        )
    return [(info, path) for path, info in found.items()]


def _copy(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one file; no more than the archive says it has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with opened.open(info) as source, open(target, "xb") as file:
        while piece := source.read(PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise DataError("longer than the archive says", hint="make the archive anew")
            file.write(piece)


def source_in(folder: Path) -> Path:
    """What `make` takes of an unpacked folder: the table that is alone in it, or the folder of class
    folders, which may lie in others that have nothing else."""
    while True:
        entries = sorted(folder.iterdir())
        folders = [entry for entry in entries if entry.is_dir()]
        if not folders and len(entries) == 1 and entries[0].name.lower().endswith(TABLES):
            return entries[0]
        if len(entries) != 1 or not folders or not any(entry.is_dir() for entry in folders[0].iterdir()):
            return folder
        folder = folders[0]
