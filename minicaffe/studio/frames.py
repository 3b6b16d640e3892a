"""Plain data over a pipe: JSON, with the bytes in it behind it.  Nothing that comes in is ever executed, as
pickles would be.

A frame is the length of its JSON in 8 bytes, the JSON, and the pieces of bytes one after the other.  The JSON
is [data, [[path, length], ...]]: where in the data the pieces belong, by keys and indices, and their sizes.
"""

from __future__ import annotations

import json
from typing import IO, Any

LENGTH_BYTES = 8


def pack(data: Any) -> bytes:
    """A frame.  `data` consists of None, booleans, numbers, texts, bytes, lists and dictionaries; tuples
    become lists, and keys texts."""
    pieces: list[tuple[list[Any], bytes]] = []
    plain = _without_bytes(data, [], pieces)
    head = json.dumps([plain, [[path, len(piece)] for path, piece in pieces]]).encode()
    return b"".join([len(head).to_bytes(LENGTH_BYTES, "big"), head, *(piece for _, piece in pieces)])


def unpack(file: IO[bytes]) -> Any:
    """The data of the next frame of a file; EOFError if it ends before."""
    length = int.from_bytes(_exactly(file, LENGTH_BYTES), "big")
    data, pieces = json.loads(_exactly(file, length))
    for path, size in pieces:
        data = _with(data, path, _exactly(file, size))
    return data


def _without_bytes(data: Any, path: list[Any], pieces: list[tuple[list[Any], bytes]]) -> Any:
    if isinstance(data, (bytes, bytearray, memoryview)):
        pieces.append((path, bytes(data)))
        return None
    if isinstance(data, dict):
        return {str(key): _without_bytes(item, [*path, str(key)], pieces) for key, item in data.items()}
    if isinstance(data, (list, tuple)):
        return [_without_bytes(item, [*path, i], pieces) for i, item in enumerate(data)]
    return data


def _with(data: Any, path: list[Any], piece: bytes) -> Any:
    if not path:
        return piece
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = piece
    return data


def _exactly(file: IO[bytes], count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise EOFError
    return found
