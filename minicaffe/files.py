"""Reading files up to a limit of size, writing files so that they are never half there, and the folder for
files that can be made again."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DataError, Place, locate

Content = bytes | Callable[[BinaryIO], object]

LARGEST_TEXT_BYTES = 1 << 30  # of a prototxt, a list, a log
PIECE_BYTES = 1 << 22  # read at a time

# What one file may become in memory, unless it is as large on the disk: a few megabytes of compressed or
# missing values can stand for any number of gigabytes.  `--largest_file` of a command raises it.
LARGEST_BYTES = 1 << 30

# Names of descriptors that the process was given: its input, and the pipes of a shell's <(command).
_DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/")

_BYTE_ORDER_MARKS = {  # of encodings that are not UTF-8, longer ones first
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading its bytes.

    Devices and named pipes are refused: a device may have no end, and reading a named pipe that nobody writes
    to never returns.  Allowed are /dev/stdin and /dev/fd/N, which a shell makes for <(command).  Raises
    DataError with the reason that the system gives.
    """
    try:
        # Without O_NONBLOCK a named pipe would already wait here.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(path, error) from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode) and not str(path).startswith(_DESCRIPTORS):
        os.close(handle)
        raise unreadable(path, _KINDS.get(stat.S_IFMT(mode), "it is no regular file"))
    if hasattr(os, "set_blocking"):
        os.set_blocking(handle, True)
    return open(handle, "rb")


_KINDS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a named pipe, not a file",
    stat.S_IFCHR: "it is a device, not a file",
    stat.S_IFBLK: "it is a device, not a file",
}


def unreadable(path: str | os.PathLike, reason: Exception | str) -> DataError:
    """The DataError for a file that cannot be read.  `reason` is a text, or an OSError, of which the message
    of the system is taken."""
    return DataError(f"cannot read {path}: {getattr(reason, 'strerror', None) or reason}")


def read_start(path: str | os.PathLike, count: int) -> bytes:
    """The first `count` bytes of a file, fewer if it is shorter.  Raises DataError as `open_file`."""
    with open_file(path) as file:
        try:
            return file.read(count)
        except OSError as error:
            raise unreadable(path, error) from None


def read_bytes(path: str | os.PathLike, limit_bytes: int) -> bytes:
    """The bytes of a file that has at most `limit_bytes`.

    Raises DataError as `open_file`, and if the file is longer; no more than the limit is read into memory.
    """
    parts: list[bytes] = []
    with open_file(path) as file:
        try:
            size, held = os.fstat(file.fileno()).st_size, 0
            while max(size, held) <= limit_bytes and (part := file.read(PIECE_BYTES)):
                parts.append(part)
                held += len(part)
        except OSError as error:
            raise unreadable(path, error) from None
        except MemoryError:
            raise unreadable(path, f"its {size} bytes do not fit in memory") from None
    if max(size, held) > limit_bytes:
        raise unreadable(path, f"it has more than {limit_bytes} bytes, the most that is read")
    return b"".join(parts)


def read_whole(path: str | os.PathLike, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """The bytes of a file.  A file on a disk may have any size; a pipe, whose size is not known before, may
    deliver `largest_bytes`.  Raises DataError as `read_bytes`."""
    try:
        size = os.path.getsize(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    return read_bytes(path, max(size, largest_bytes))


def read_text(path: str | os.PathLike, limit_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """The text of a file in UTF-8; a byte order mark at its start is dropped.

    Bytes that are not UTF-8, which names of files may contain, become lone surrogates (surrogateescape).
    Raises DataError as `read_bytes`, and for archives, web pages and text in UTF-16 or UTF-32.
    """
    data = read_bytes(path, limit_bytes)
    refuse_foreign(data, path)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            with locate(Place(file=str(path))):
                raise DataError(f"{encoding} text; expected UTF-8", hint="save it as UTF-8")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def check_room(nbytes: int, stored_bytes: int, largest_bytes: int = LARGEST_BYTES) -> None:
    """Called before memory is allocated for what a file holds: DataError if it would take `nbytes`, and this
    is more than `largest_bytes` and more than the file itself has (`stored_bytes`)."""
    if nbytes > max(stored_bytes, largest_bytes):
        raise DataError(
            f"{nbytes} bytes of memory for a file of {stored_bytes} bytes; {largest_bytes} is the most",
            hint="unpack it, or raise the limit: --largest_file of train, test, time, replay, convert, diff",
        )


def is_binary(start: bytes) -> bool:
    """Whether a file with these first bytes cannot be text: they contain a NUL.  Text in UTF-16 or UTF-32
    does too, but counts as text here, so that `read_text` can say what it is."""
    return b"\0" in start and not start.startswith(tuple(_BYTE_ORDER_MARKS))


def refuse_foreign(start: bytes, path: str | os.PathLike) -> None:
    """DataError if the first bytes of a file show that it is of a known kind that the package does not read:
    an archive, a web page, a Git LFS pointer.  Downloads and `git clone` leave such files under the names of
    weights and nets."""
    with locate(Place(file=str(path))):
        for signature, kind, hint in _FOREIGN:
            if start.startswith(signature):
                raise DataError(kind, hint=hint)
        if start[257:262] == b"ustar" and b"\0" in start[:257]:
            raise DataError("a tar archive", hint=_UNPACK)
        if start[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DataError(
                "a web page (HTML or XML)",
                hint="the link led to a page; download the file itself (on GitHub: Raw)",
            )


def refuse_foreign_file(path: str | os.PathLike, known: bytes) -> None:
    """As `refuse_foreign`, for a path: reads the first bytes and, unless they are `known`, with which files
    of the expected kind begin, looks what else it may be."""
    start = read_start(path, 512)
    if not start.startswith(known):
        refuse_foreign(start, path)


_UNPACK = "unpack it, and give the file inside"
_FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer: a note that stands for the file", "run git lfs pull"),
    (b"PK\x03\x04", "a zip archive (as are .npz, .pt and .keras)", _UNPACK),
    (b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (b"BZh91AY&SY", "compressed by bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x93NUMPY", "a NumPy array (.npy)", "weights are stored in .npz, by layer"),
    (b"\x89PNG\r\n", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"%PDF-", "a PDF document", ""),
    (b"\x7fELF", "a program or library", ""),
)


def write_atomic(path: str | os.PathLike, content: Content) -> None:
    """Write `content` (bytes, or a function that writes to the open file) so that `path` is never seen
    half-written.

    The bytes go to a temporary file in the same folder, reach the disk (fsync), and take the name in one step
    (rename); then the folder is synced, so that the name survives a power cut too.  On any error the
    temporary file is removed and what `path` held before is untouched.

    Raises OSError (no such folder, no permission, disk full) as the system reports it.
    """
    write_together({path: content})


def write_together(contents: Mapping[Any, Content], *, pipes: bool = False) -> None:
    """Write several files: either all get their new contents, or, if the disk is full, none does.

    contents  what to write, by path: bytes, or a function that writes to the open file
    pipes     whether a named pipe may be written to, which waits until somebody reads it

    Every file is first written completely under a temporary name, as `write_atomic` does; then all are
    renamed, in the order given.  Renaming to a device or pipe such as /dev/stdout would destroy it; these are
    written to directly, last.  Raises OSError, before anything is written, if a path is a folder, or a named
    pipe without `pipes`.
    """
    for name in contents:
        if "\0" in os.fspath(name):
            raise OSError(errno.EINVAL, "a name cannot hold a NUL", str(name))
        if not pipes and _is_named_pipe(name):
            raise OSError(errno.EEXIST, "it is a named pipe", str(name))
    temporaries: dict[Path, Path] = {}
    streams = {path: content for path, content in contents.items() if _is_stream(Path(path))}
    try:
        for name, content in contents.items():
            if name in streams:
                continue
            path = Path(name)
            temporary = temporary_name(path)
            temporaries[path] = temporary
            with open(temporary, "xb") as file:
                _put(content, file)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in temporaries}:
        sync_folder(folder)
    for name, content in streams.items():
        with open(name, "wb") as stream:
            _put(content, stream)


def write_folder(path: str | os.PathLike, contents: Mapping[str, Content]) -> None:
    """Make a folder with these files, given by name.  It is filled under a temporary name and renamed when
    all files are on the disk, so that nobody ever sees it half-filled.

    Raises OSError as the system reports it, and if `path` exists and is not an empty folder.
    """
    path = Path(os.path.abspath(path))
    temporary = temporary_name(path)
    temporary.mkdir()
    try:
        write_together({temporary / name: content for name, content in contents.items()})
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(path.parent)


def temporary_name(path: str | os.PathLike) -> Path:
    """A path in the same folder as `path` that no other process uses: a hidden name that contains the number
    of this process."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def probe(path: str | os.PathLike) -> None:
    """Find out whether a file could be written as `path`, by writing and removing a temporary file beside it;
    `path` itself is not touched.  OSError if it could not."""
    temporary = temporary_name(path)
    open(temporary, "xb").close()
    temporary.unlink()


def refuse_unwritable(path: str | os.PathLike) -> None:
    """Raise the OSError that writing `path` would raise, as far as permissions and kinds of files tell.
    Nothing is written."""
    path = Path(path)
    if not _is_stream(path) and not path.parent.is_dir():
        code = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
    elif _is_named_pipe(path):
        raise OSError(errno.EEXIST, "it is a named pipe", str(path))
    elif not os.access(path if _is_stream(path) else path.parent, os.W_OK):
        code = errno.EACCES
    else:
        return
    raise OSError(code, os.strerror(code), str(path))


def _put(content: Content, file: BinaryIO) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)


def _is_stream(path: Path) -> bool:
    """Whether `path` is a device or a pipe rather than a file; IsADirectoryError if it is a folder."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    return path.exists() and not path.is_file()


def _is_named_pipe(path: str | os.PathLike) -> bool:
    """Whether `path` is a named pipe.  Pipes that the process was started with, such as /dev/stdout, are
    not."""
    return Path(path).is_fifo() and not os.fspath(path).startswith(("/dev/", "/proc/"))


def sync_folder(folder: str | os.PathLike) -> None:
    """Wait until renames in `folder` are on the disk; does nothing on systems that cannot do so."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def user_cache() -> Path | None:
    """The folder where the platform keeps a user's files that can be made again; None for a user without a
    home folder."""
    try:
        if sys.platform == "win32":
            root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        else:
            root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # no HOME, and no entry in the password file
        return None
    return Path(root) / "minicaffe"
