"""Errors that pycaffe raises as RuntimeError; they are minicaffe's errors too."""

from __future__ import annotations

import os

from ..errors import DataError, ShapeError
from ..files import open_file


class MissingFileError(DataError, RuntimeError):
    """A file that is not there, or cannot be opened."""


class InputArraysError(ShapeError, RuntimeError):
    """Arrays that a MemoryData layer cannot take."""


def check_file(path: str | os.PathLike) -> str:
    """The path, if it can be read; else MissingFileError."""
    name = os.fspath(path)
    try:
        open_file(path).close()
    except DataError as error:
        reason = error.message.removeprefix(f"cannot read {name}: ")
        raise MissingFileError(f"Could not open file {name}: {reason}") from None
    return name
