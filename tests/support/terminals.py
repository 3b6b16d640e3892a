"""A terminal of a given width, and what a command in this process shows on it."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import re
import struct
import sys
import termios
import threading
from typing import NamedTuple

from minicaffe.cli.main import main


class Shown(NamedTuple):
    """lines: without colours; what the progress bar drew one over the other are lines of their own."""

    status: int
    lines: list[str]


def run_on_a_terminal(words: list[str], columns: int = 80) -> Shown:
    """minicaffe WORDS with a pseudo-terminal for stdout and stderr."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    content: list[bytes] = []
    reader = threading.Thread(target=_read, args=(outer, content))
    reader.start()
    logger = logging.getLogger("minicaffe")
    before = sys.stdout, sys.stderr, logger.handlers[:], logger.level, logger.propagate
    logger.handlers.clear()
    with open(inner, "w", encoding="utf-8") as sys.stdout:
        sys.stderr = sys.stdout
        try:
            status = main(words)
        finally:
            sys.stdout, sys.stderr, logger.handlers[:], logger.level, logger.propagate = before
    reader.join()
    os.close(outer)
    text = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", b"".join(content).decode())
    return Shown(status, [line for line in re.split(r"[\r\n]+", text) if line.strip()])


def _read(terminal: int, content: list[bytes]) -> None:
    while True:
        try:
            content.append(os.read(terminal, 1 << 16))
        except OSError:  # nobody has it open any more
            return
        if not content[-1]:
            return
