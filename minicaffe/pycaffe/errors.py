"""Errors that pycaffe raises as RuntimeError; they are minicaffe's errors too."""

from __future__ import annotations

import os

from ..errors import DataError, ShapeError


class MissingFileError(DataError, RuntimeError):
    """A file that is not there, or cannot be opened."""


class InputArraysError(ShapeError, RuntimeError):
    """Arrays that a MemoryData layer cannot take."""


def check_file(path: str | os.PathLike) -> str:
    """The path, if it can be read; else MissingFileError."""
    try:
        with open(path, "rb"):
            return os.fspath(path)
    except OSError as error:
        raise MissingFileError(f"Could not open file {os.fspath(path)}: {error.strerror}") from None
