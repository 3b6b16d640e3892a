"""Fetching files that are known by their contents."""

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
    """A file as it should be: its name, the length of its contents, unpacked, and their SHA-256, or, where
    only that is known, the SHA-256 of the gzip file; neither of what is made here of something else."""

    name: str
    nbytes: int
    sha256: str = ""
    packed_sha256: str = ""


class Archive(NamedTuple):
    """A file that holds others and is stored as it comes: its name, the most bytes it can have, and the
    SHA-256 of its known forms."""

    name: str
    nbytes: int
    sha256: tuple[str, ...]


class _BadMirror(Exception):
    """Why one mirror is passed over."""


def fetch(
    file: File, folder: Path, mirrors: Sequence[str], remedy: str, *, timeout_s: float = TIMEOUT_S
) -> Path:
    """Store `file`, unpacked, in `folder`: from the first mirror (a URL that NAME.gz is appended to) that
    delivers it.  A mirror that fails, or delivers something else, is passed over with a warning.

    The file appears whole or not at all.  Raises DataError, with what every mirror did, if none delivers; its
    hint is `remedy`.
    """
    urls = {f"{mirror}{file.name}.gz": functools.partial(_unpack, file) for mirror in mirrors}
    return _first(folder / file.name, urls, remedy, timeout_s)


def fetch_archive(
    archive: Archive, folder: Path, mirrors: Sequence[str], remedy: str, *, timeout_s: float = TIMEOUT_S
) -> Path:
    """Store `archive` in `folder`, from the first mirror (a URL that its name is appended to) that delivers
    it; everything else is as for `fetch`."""
    urls = {f"{mirror}{archive.name}": functools.partial(_copy, archive) for mirror in mirrors}
    return _first(folder / archive.name, urls, remedy, timeout_s)


_Write = Callable[[Iterator[bytes], BinaryIO], None]


def _first(path: Path, urls: Mapping[str, _Write], remedy: str, timeout_s: float) -> Path:
    """What the first URL delivers that delivers what its function wants."""
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
    """Unpack and check in one pass."""
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
    """Store and check in one pass."""
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
    """The response, piece by piece, with a progress bar if stderr is a terminal; _BadMirror for whatever goes
    wrong on the way."""
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
