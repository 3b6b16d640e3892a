"""What a body calls, written down once and run again without Python: what a graph is to a GPU.

Compiled code of a loop (micro/dealing.py) puts its arguments into a block of memory and hands it, with the
address of what runs a part, to the launcher that it is given.  Here that is `NOTE`, which copies both onto a
tape.  Arrays are in the block by their addresses, so the loop can be run again whenever they lie where they
did; one call then runs all loops of a tape, one behind the other (team.replay).

What is not such a loop, fills and copies by NumPy and kernels on one thread, is kept as a call of Python's
between two pieces of tape.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .team import HEAD
from .threads import limited

ALIGNMENT = 64  # bytes: where a loop begins on a tape

Play = Callable[[int, int], None]  # runs the loops from one address to another


class Call(NamedTuple):
    """A call of Python's, and what must stay where it is for it."""

    function: Callable
    arguments: tuple
    kept: Any = None


class Piece(NamedTuple):
    """Loops of so many threads, one behind the other on a tape, and their arguments."""

    threads: int
    loops: bytearray
    arguments: list[tuple]

    def played(self, play: Play) -> Call:
        """The call that runs them."""
        tape = np.zeros(len(self.loops) + ALIGNMENT, np.uint8)
        start = -tape.ctypes.data % ALIGNMENT
        tape[start : start + len(self.loops)] = self.loops
        first = tape.ctypes.data + start
        return Call(limited, (self.threads, play, (first, first + len(self.loops))), (tape, self.arguments))


class Tape:
    """A recording that is under way."""

    def __init__(self) -> None:
        self._pieces: list[Piece | Call] = []

    def loop(self, entry: Callable, arguments: tuple, threads: int) -> None:
        """Write down a loop by its entry, see dealing.entry."""
        last = self._pieces[-1] if self._pieces else None
        if not isinstance(last, Piece) or last.threads != threads:
            self._pieces.append(Piece(threads, bytearray(), []))
        self._pieces[-1].arguments.append(arguments)
        entry(NOTE_ADDRESS, 0, threads, *arguments)

    def note(self, thunk: int, block: bytes) -> None:
        """Write down what the entry hands over."""
        room = -(HEAD + len(block)) % ALIGNMENT
        head = np.array([thunk, len(block) + room], np.int64).tobytes()
        self._pieces[-1].loops.extend(head + block + bytes(room))

    def call(self, function: Callable, *arguments: Any) -> None:
        """Write down a call of Python's."""
        self._pieces.append(Call(function, arguments))

    def finished(self, play: Play) -> Callable[[], None]:
        """What runs all of it again."""
        calls = [piece.played(play) if isinstance(piece, Piece) else piece for piece in self._pieces]

        def replay() -> None:
            for call in calls:
                call.function(*call.arguments)

        return replay


class Recording(threading.local):
    """The tape that the thread's calls are written to, and not run; None if they run."""

    tape: Tape | None = None


RECORDING = Recording()


@ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)
def NOTE(team: int, threads: int, thunk: int, block: int, nbytes: int) -> None:
    """A launcher (team.run) that runs nothing."""
    assert RECORDING.tape is not None
    RECORDING.tape.note(thunk, ctypes.string_at(block, nbytes))


NOTE_ADDRESS = ctypes.cast(NOTE, ctypes.c_void_p).value
