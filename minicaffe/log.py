"""Log lines in glog's form, which Caffe's own parsers read.

    I1121 10:20:30.123456  4711 solver.py:239] Iteration 100, loss = 0.231

The package logs to the standard library's logger "minicaffe" and configures nothing by itself; the command
line calls `to_stderr`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

logger = logging.getLogger("minicaffe")
info = logger.info
warning = logger.warning
error = logger.error


class GlogFormatter(logging.Formatter):
    """Level letter, month and day, time with microseconds, thread id, file and line."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.localtime(record.created)
        micros = int(record.created % 1 * 1e6)
        letter = "F" if record.levelno > logging.ERROR else record.levelname[0]
        head = f"{letter}{time.strftime('%m%d %H:%M:%S', clock)}.{micros:06d} {threading.get_native_id():5d}"
        return "\n".join(
            f"{head} {record.filename}:{record.lineno}] {line}" for line in record.getMessage().split("\n")
        )


class FileHandler(logging.FileHandler):
    """Loses lines rather than the training when the disk is full, and says so once."""

    failed = False

    def close(self) -> None:
        with suppress(OSError):  # what could not be written is tried once more
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.failed:
            print(f"cannot write {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)
        self.failed = True


class StderrHandler(logging.Handler):
    """Writes to the present sys.stderr; while a progress bar is shown, above the bar.  A terminal that has
    gone, or a disk that is full behind it, ends nothing: lines are lost."""

    bar = None  # a tqdm bar, set by `above`

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        with suppress(OSError, ValueError):  # ValueError: stderr is closed
            if self.bar is None:
                print(line, file=sys.stderr, flush=True)
            else:
                self.bar.write(line, file=sys.stderr)

    @contextmanager
    def above(self, bar) -> Iterator[None]:
        self.bar = bar
        try:
            yield
        finally:
            self.bar = None


def to_stderr(level: int = logging.INFO) -> StderrHandler:
    """Send the package's log to stderr in glog's form; returns the handler."""
    for handler in logger.handlers:
        if isinstance(handler, StderrHandler):
            return handler
    handler = StderrHandler()
    handler.setFormatter(GlogFormatter())
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    return handler


def to_file(path: str | os.PathLike) -> logging.Handler:
    """Send the package's log to the end of a file too, in glog's form; returns the handler."""
    handler = FileHandler(path, encoding="utf-8")
    handler.setFormatter(GlogFormatter())
    logger.addHandler(handler)
    return handler


def number(value: float) -> str:
    """A number as a C++ stream prints it by default: six significant digits, no trailing zeros."""
    return f"{value:g}"
