"""What a user's code raises, as an error of its layer."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import MiniCaffeError, Place, UserCodeError

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATHS = sysconfig.get_paths()
STANDARD = PATHS["stdlib"], PATHS["platstdlib"]
INSTALLED = PATHS["purelib"], PATHS["platlib"]
LONGEST = 300  # characters of a message


@contextmanager
def users_code() -> Iterator[None]:
    """Turn what the code inside raises, SystemExit too, into a UserCodeError that names file and line of the
    user's code; the exception is its cause.  Errors of the engine's own pass, with that place, and so does
    Ctrl-C."""
    try:
        yield
    except MiniCaffeError as error:
        if place := _place(error):
            error.within(place)
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        wrapped = UserCodeError(_said(error))
        if place := _place(error):
            wrapped.within(place)
        raise wrapped from error


def _said(error: BaseException) -> str:
    """Type and message in one line."""
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # the exception's own code may fail as well
        text = ""
    text = " ".join(text.split())
    name = type(error).__name__
    return f"{name}: {text[:LONGEST]}" if text else name


def _place(error: BaseException) -> Place | None:
    """File and line of the innermost frame that is the user's, or of a package that they installed; None if
    there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return Place(file=error.filename, line=error.lineno or 0)
    own = installed = None
    for frame in traceback.extract_tb(error.__traceback__):
        name, place = frame.filename, Place(file=frame.filename, line=frame.lineno or 0)
        if name.startswith(INSTALLED) and not name.startswith(PACKAGE + os.sep):
            installed = place
        elif not name.startswith((PACKAGE + os.sep, "<", *STANDARD)):
            own = place
    return own or installed
