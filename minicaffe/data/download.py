"""Downloading files whose SHA-256 is known."""

from __future__ import annotations

import functools
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .. import log
from ..errors import DataError
from ..files import write_atomic

TIMEOUT_S = 30  # without a byte
CHUNK = 1 << 16


class File(NamedTuple):
    """A file to download: its name, and the length and SHA-256 of its unpacked contents.  Where only that is
    known, the SHA-256 is that of the gzip file.  Both are "" for a file that is made from an archive."""

    name: str
    nbytes: int
    sha256: str = ""
    packed_sha256: str = ""


class Archive(NamedTuple):
    """An archive to download, which is stored as it is: its name, the most bytes it may have, and the SHA-256
    of all its known versions."""

    name: str
    nbytes: int
    sha256: tuple[str, ...]


class _BadMirror(Exception):
    """The reason why the next mirror is tried."""


def fetch(
    file: File, folder: Path, mirrors: Sequence[str], remedy: str, *, timeout_s: float = TIMEOUT_S
) -> Path:
    """Download `file` to `folder` and unpack it; returns its path.

    mirrors  URLs to which NAME.gz is appended.  They are tried in turn; one that fails or delivers another
             file is left with a warning
    remedy   the hint of the DataError that is raised if no mirror delivers the file

    The file appears completely or not at all.
    """
    urls = {f"{mirror}{file.name}.gz": functools.partial(_unpack, file) for mirror in mirrors}
    return _first(folder / file.name, urls, remedy, timeout_s)


def fetch_archive(
    archive: Archive, folder: Path, mirrors: Sequence[str], remedy: str, *, timeout_s: float = TIMEOUT_S
) -> Path:
    """Download `archive` to `folder`; returns its path.  The name is appended to the mirrors' URLs;
    everything else is as for `fetch`."""
    urls = {f"{mirror}{archive.name}": functools.partial(_copy, archive) for mirror in mirrors}
    return _first(folder / archive.name, urls, remedy, timeout_s)


_Write = Callable[[Iterator[bytes], BinaryIO], None]


def _first(path: Path, urls: Mapping[str, _Write], remedy: str, timeout_s: float) -> Path:
    """Try URLs in turn until one delivers what its function accepts and writes to `path`; DataError if none
    does."""
    tried = []
    for url, write in urls.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, functools.partial(_put, write, url, path.name, timeout_s))
            return path
        except _BadMirror as reason:
            log.warning("%s: %s", url, reason)
            tried.append(f"{url}: {reason}")
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror or error}",
                hint=f"make room or give permission there, or {remedy}",
            ) from None
    raise DataError(f"cannot download {path.name}: tried {'; '.join(tried)}", hint=remedy)


def _put(write: _Write, url: str, name: str, timeout_s: float, out: BinaryIO) -> None:
    write(_chunks(url, name, timeout_s), out)


def _unpack(file: File, chunks: Iterator[bytes], out: BinaryIO) -> None:
    """Write the unpacked contents of a gzip file to `out`, and check that they are the expected ones."""
    decoder, length = zlib.decompressobj(wbits=31), 0  # 31: gzip
    digest, packed_digest = hashlib.sha256(), hashlib.sha256()
    for packed in chunks:
        packed_digest.update(packed)
        try:
            data = decoder.decompress(packed, file.nbytes + 1 - length)  # a bomb stays small
        except zlib.error:
            raise _BadMirror("not a gzip file, or damaged") from None
        digest.update(data)
        length += len(data)
        if length > file.nbytes:
            raise _BadMirror(f"larger than {file.nbytes} bytes unpacked")
        out.write(data)
    if not decoder.eof:
        raise _BadMirror(f"cut short: {length} of {file.nbytes} bytes unpacked")
    if file.sha256:
        _compare(digest.hexdigest(), (file.sha256,))
    else:
        _compare(packed_digest.hexdigest(), (file.packed_sha256,))


def _copy(archive: Archive, chunks: Iterator[bytes], out: BinaryIO) -> None:
    """Write an archive to `out`, and check that it is the expected one."""
    digest, length = hashlib.sha256(), 0
    for data in chunks:
        digest.update(data)
        length += len(data)
        if length > archive.nbytes:
            raise _BadMirror(f"larger than {archive.nbytes} bytes")
        out.write(data)
    _compare(digest.hexdigest(), archive.sha256)


def _compare(found: str, expected: tuple[str, ...]) -> None:
    if found not in expected:
        raise _BadMirror(f"SHA-256 is {found}; expected {' or '.join(expected)}")


def _chunks(url: str, name: str, timeout_s: float) -> Iterator[bytes]:
    """The response to a request, piece by piece, with a progress bar if stderr is a terminal.  Every failure
    is raised as _BadMirror."""
    from tqdm import tqdm

    try:
        with (
            urllib.request.urlopen(url, timeout=timeout_s) as response,
            tqdm(
                desc=name,
                total=response.length,
                unit="B",
                unit_scale=True,
                file=sys.stderr,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            while chunk := response.read(CHUNK):
                bar.update(len(chunk))
                yield chunk
    except urllib.error.HTTPError as error:
        raise _BadMirror(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise _BadMirror(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _BadMirror(str(error) or type(error).__name__) from None
