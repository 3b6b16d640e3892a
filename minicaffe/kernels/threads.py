"""The threads of this process that run kernels, see team.py; and how many of them a call may have."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable

import numba
import numpy as np
from numba.np.ufunc import parallel

from .team import CALLED, FINISHED, LINE, MOST, MUTEX, SIZE

# Numba keeps, for each thread of Python, how many threads its loops may have.  None of its own are started:
# OpenMP, unlike the others, waits for a loop.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]


class Team:
    """The threads of this process, as far as they have been started.

    launcher  the address of team.run
    serve     team.serve, compiled
    """

    def __init__(self, launcher: int, serve: Callable[[int, int], None]) -> None:
        self.launcher, self.serve = launcher, serve
        numba.get_num_threads()  # which makes the layer ready that keeps how many Numba's loops have
        self.words = np.zeros((SIZE + LINE) // 8, np.int64)
        self.address = -(-self.words.ctypes.data // LINE) * LINE
        self.members: list[threading.Thread] = []
        self.begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """Nothing is under way: at the start, and in a process that was forked off, where of all threads only
        the one is left that forked."""
        self.words[:] = 0
        self.members.clear()
        if os.name == "nt":
            return
        system = ctypes.CDLL(None)
        for make, place in (("mutex", MUTEX), ("cond", CALLED), ("cond", FINISHED)):
            getattr(system, f"pthread_{make}_init")(ctypes.c_void_p(self.address + place), None)

    def grow(self, threads: int) -> None:
        """Have at least so many, that of the caller included."""
        for me in range(len(self.members) + 1, min(threads, MOST)):
            self.members.append(
                threading.Thread(
                    target=self.serve, args=(self.address, me), name=f"minicaffe {me}", daemon=True
                )
            )
            self.members[-1].start()

    def place(self) -> tuple[int, int, int]:
        """What a compiled loop is called with: the launcher, the team, and how many threads it has."""
        threads = min(LIMIT.threads or parallel._get_num_threads(), MOST)
        if len(self.members) < threads - 1:
            self.grow(threads)
        return self.launcher, self.address, threads


class Limit(threading.local):
    """How many threads the loops have that a thread of Python calls; None: as many as Numba's would have."""

    threads: int | None = None


LIMIT = Limit()


def wanted() -> int:
    """How many threads a loop has that is called now."""
    return LIMIT.threads or numba.get_num_threads()


def limited(threads: int | None, function: Callable, arguments: tuple) -> None:
    """function(*arguments), whose loops have so many threads, also more than there are processors; None: as
    many as they would have without."""
    before = LIMIT.threads
    LIMIT.threads = threads or before
    try:
        function(*arguments)
    finally:
        LIMIT.threads = before
