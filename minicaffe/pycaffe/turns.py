"""Threads that run passes on one device take turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """`with turn:` what one thread does while the others wait; a thread may enter again what it is in.

    Nets on one device share its workspace and, on a GPU, its stream.  In Caffe a pass holds the interpreter,
    so passes of several threads run one after another there too.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0  # how often the thread whose turn it is has entered

    def __enter__(self) -> Turn:
        self._lock.acquire()
        self._depth += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        self._lock.release()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """While a user's code runs in the middle of a pass: it may wait for a thread that runs another
        net."""
        depth, self._depth = self._depth, 0
        for _ in range(depth):
            self._lock.release()
        try:
            yield
        finally:
            for _ in range(depth):
                self._lock.acquire()
            self._depth = depth
