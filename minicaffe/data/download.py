"""Fetching files that are known by their contents."""

from __future__ import annotations

import functools
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .. import log
from ..errors import DataError
from ..files import write_atomic

TIMEOUT_S = 30  # without a byte
CHUNK = 1 << 16


class File(NamedTuple):
    """A file as it should be: its name, and length and SHA-256 of its contents, unpacked."""

    name: str
    nbytes: int
    sha256: str


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
    path = folder / file.name
    tried = []
    for mirror in mirrors:
        url = f"{mirror}{file.name}.gz"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, functools.partial(_unpack, url, file, timeout_s))
            return path
        except _BadMirror as reason:
            log.warning("%s: %s", url, reason)
            tried.append(f"{url}: {reason}")
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror or error}",
                hint=f"make room or give permission there, or {remedy}",
            ) from None
    raise DataError(f"cannot download {file.name}: tried {'; '.join(tried)}", hint=remedy)


def _unpack(url: str, file: File, timeout_s: float, out: BinaryIO) -> None:
    """Download, unpack and check in one pass."""
    decoder, digest, length = zlib.decompressobj(wbits=31), hashlib.sha256(), 0  # 31: gzip
    for packed in _chunks(url, file.name, timeout_s):
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
    if digest.hexdigest() != file.sha256:
        raise _BadMirror(f"SHA-256 is {digest.hexdigest()}; expected {file.sha256}")


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
