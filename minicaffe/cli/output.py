"""Writing what a command makes, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import DataError
from ..files import refuse_unwritable, write_together


def write(contents: Mapping[str, bytes]) -> None:
    """Write files by name, together; DataError if that cannot be, and then no file has changed."""
    try:
        write_together(contents, pipes=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {' and '.join(contents)}: {reason}") from None


def check(path: str) -> None:
    """DataError if a file cannot be written, as far as that is foreseeable: before the work, not after it."""
    try:
        refuse_unwritable(path)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
