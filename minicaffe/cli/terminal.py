"""The terminal: all that a command says goes out here, printable and no wider than it is, and the log for
people.

stdout has what was asked for, stderr the log and what went wrong.  A stdout that is full or closed is an
error of the command; lines of a log are lost without one (log.py).
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any, TextIO

from .. import log
from ..checking.table import wrapped
from ..errors import DataError
from ..log import StderrHandler
from ..printable import printable

LOGS = ("compact", "caffe", "quiet")
LOOKS = [  # of lines in a compact log, by how they begin: codes of ANSI terminals
    ("Iteration ", "1"),
    ("    Test net output", "32"),
    ("warning: ", "33"),
    ("error: ", "31"),
]
FAINT = "2"
LEVELS = {logging.WARNING: "warning: ", logging.ERROR: "error: "}


def report_alone() -> AbstractContextManager:
    """Send what a user's layer prints to stderr: it is no part of a report, which a program may read."""
    return redirect_stdout(sys.stderr)


def say(line: str) -> None:
    """Print a line, broken between words where the terminal ends, with what a terminal would obey made
    visible; DataError if stdout takes nothing."""
    put("\n".join(wrapped(printable(line), width())) + "\n")


def show(lines: str) -> None:
    """Print lines whose ends are ours, such as a table: as `say`."""
    put(printable(lines, keep="\n") + "\n")


def put(content: str) -> None:
    """Print `content` as it is, such as JSON; what stdout's encoding lacks is escaped.  Raises as `say`."""
    out = sys.stdout
    try:
        if out is None:  # closed before the program began
            raise OSError(errno.EBADF, "it is closed")
        encoding = out.encoding or "utf-8"
        out.write(content.encode(encoding, "backslashreplace").decode(encoding))
    except OSError as error:
        raise _lost(error) from None


def put_file(content: bytes) -> None:
    """Print a text file: byte for byte, but printable on a terminal.  DataError as `say`."""
    out = getattr(sys.stdout, "buffer", None)
    if out is None or is_terminal(sys.stdout):
        put(printable(content.decode(), keep="\n"))
        return
    flush()
    try:
        out.write(content)
    except OSError as error:
        raise _lost(error) from None


def flush() -> None:
    """Make sure that what was said is out; DataError if it is not."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise _lost(error) from None


def _lost(error: OSError) -> Exception:
    """The error for a stdout that takes nothing.  What it still holds goes nowhere: the interpreter would try
    once more at its end, and complain."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # the reader has seen enough
        return error
    return DataError(f"cannot write to stdout: {error.strerror or error}")


def complain(what: str) -> None:
    """A line on stderr, which may have gone; not broken, since what a hint says to run is copied from it."""
    if sys.stderr is not None:
        try:
            print(printable(what), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass


def hold_standard_files() -> None:
    """A standard file that is closed would lend its number to the next file that is opened, and what a
    library prints would go into a snapshot."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one


def is_terminal(stream: TextIO | Any) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def width(stream: TextIO | Any = None) -> int | None:
    """The columns of the terminal behind a stream, stdout by default, or what COLUMNS says; None if there is
    no terminal or it has no width, and lines may be as long as they are."""
    stream = stream or sys.stdout
    if not is_terminal(stream):
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal():
        return int(given) or None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


class Compact(logging.Formatter):
    """The time of day and the message, over as many lines as the terminal needs; in colours if `coloured`."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self.coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        message = printable(record.getMessage(), keep=log.TAB).expandtabs()
        message = LEVELS.get(record.levelno, "") + message
        clock = time.strftime("%H:%M:%S ", time.localtime(record.created))
        columns = width(sys.stderr)
        lines = wrapped(message, columns - len(clock) if columns else None, indent="      ")
        look = next((look for start, look in LOOKS if message.startswith(start)), "")
        heads = [self._in(FAINT, clock), *[" " * len(clock)] * (len(lines) - 1)]
        return "\n".join(head + self._in(look, line) for head, line in zip(heads, lines))

    def _in(self, look: str, text: str) -> str:
        return f"\x1b[{look}m{text}\x1b[0m" if self.coloured and look else text


def coloured(stream: TextIO | Any) -> bool:
    """Whether a stream shows colours; see no-color.org."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def start_log(form: str | None = None, level: int = logging.INFO) -> StderrHandler:
    """Send the log to stderr; returns the handler.

    form  of LOGS: compact, as Caffe's own, or only warnings and errors; the first on a terminal and the
          second elsewhere if left out
    """
    form = form or ("compact" if is_terminal(sys.stderr) else "caffe")
    if form == "caffe":
        return log.to_stderr(level)
    handler = log.to_stderr(logging.WARNING if form == "quiet" else level, Compact(coloured(sys.stderr)))
    handler.addFilter(lambda record: not getattr(record, "detail", False))
    return handler
