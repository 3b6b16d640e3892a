"""Log lines in glog's form, which Caffe's own parsers read.

    I1121 10:20:30.123456  4711 solver.py:239] Iteration 100, loss = 0.231

The package logs to the standard library's logger "minicaffe" and configures nothing by itself; the command
line calls `to_stderr`.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
from contextlib import suppress

from .printable import printable

logger = logging.getLogger("minicaffe")
info = logger.info
# Lines of Caffe's log that say nothing new to who looks on: a compact log goes without.
detail = functools.partial(logger.info, extra={"detail": True})
warning = logger.warning
error = logger.error
NOTICE = 25  # a level between info and warning: why a user has to wait

TAB = "\t"  # which some of Caffe's lines have


def notice(message: str) -> None:
    """Say why it takes long, also to a program that has not configured logging: on its stderr."""
    logger.log(NOTICE, message, stacklevel=2)
    if not logger.hasHandlers() and sys.stderr is not None:
        print(f"minicaffe: {printable(message)}", file=sys.stderr, flush=True)


class GlogFormatter(logging.Formatter):
    """Level letter, month and day, time with microseconds, thread id, file and line; every record is one
    line."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.localtime(record.created)
        micros = int(record.created % 1 * 1e6)
        letter = {NOTICE: "I", logging.CRITICAL: "F"}.get(record.levelno, record.levelname[0])
        head = f"{letter}{time.strftime('%m%d %H:%M:%S', clock)}.{micros:06d} {threading.get_native_id():5d}"
        return f"{head} {record.filename}:{record.lineno}] {printable(record.getMessage(), keep=TAB)}"


class FileHandler(logging.FileHandler):
    """Writes the log to a file.  When the disk is full, lines are lost and the training goes on; stderr says
    so once."""

    failed = False

    def close(self) -> None:
        with suppress(OSError):  # what could not be written is tried once more
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.failed:
            print(f"cannot write {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)
        self.failed = True


class StderrHandler(logging.Handler):
    """Writes the log to sys.stderr as it is at the time of writing.  While a progress bar is shown, lines go
    above it.  If the terminal is closed or a disk behind it is full, lines are lost and nothing else
    happens."""

    bar = None  # a tqdm bar, set by who shows it

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        # ValueError: stderr is closed; RuntimeError: a signal's line came in the middle of another
        with suppress(OSError, ValueError, RuntimeError):
            if sys.stderr is None:  # the program was started without one
                return
            if self.bar is None:
                print(line, file=sys.stderr, flush=True)
            else:
                self.bar.write(line, file=sys.stderr)


def to_stderr(level: int = logging.INFO, formatter: logging.Formatter | None = None) -> StderrHandler:
    """Send the package's log to stderr, from `level` on; a second call replaces the first.  Returns the
    handler.

    formatter  how a record becomes a line; glog's form if left out

    Files (`to_file`) get the lines of all levels, whatever `level` is.
    """
    for former in logger.handlers[:]:
        if isinstance(former, StderrHandler):
            logger.removeHandler(former)
    handler = StderrHandler(level)
    handler.setFormatter(formatter or GlogFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler


def to_file(path: str | os.PathLike) -> logging.Handler:
    """Append the package's log to a file too, in glog's form; returns the handler."""
    handler = FileHandler(path, encoding="utf-8")
    handler.setFormatter(GlogFormatter())
    logger.addHandler(handler)
    return handler


def number(value: float) -> str:
    """A number as a C++ stream prints it by default: six significant digits, no trailing zeros."""
    return f"{value:g}"
