"""Preparing batches ahead, in a thread."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

B = TypeVar("B")


class Prefetch(Generic[B]):
    """Numbered batches that a thread prepares before they are asked for.

    make      make(number, buffers) writes batch `number` into `buffers`.  It runs in the thread, one call at
              a time.  It must not call parallel kernels (two parallel regions at once would compete
              for the processors), nor hold a reference to the object that owns this one
    slots     the buffers, used in turn; this many batches are ready or being prepared
    threaded  False: `make` runs when a batch is asked for

    The caller decides everything: it puts orders (number, buffers) in a queue, and gets each back, finished
    or with the exception that `make` raised.  So thread and caller share no state and need no lock.  The
    thread ends with `close`, when this object is no longer referenced, or with the process.
    """

    def __init__(self, make: Callable[[int, B], None], slots: Sequence[B], *, threaded: bool = True) -> None:
        self._make = make
        self._slots = list(slots)
        self._threaded = threaded
        self._thread: threading.Thread | None = None

    @contextmanager
    def batch(self, number: int) -> Iterator[B]:
        """The buffers with batch `number`, while the `with` block runs; afterwards the thread fills them
        again.

        If `number` follows the last one, the batch is ready or being prepared; otherwise the thread starts
        again from `number`.  An exception that `make` raised for this batch is raised here.
        """
        if not self._threaded:
            self._make(number, self._slots[0])
            yield self._slots[0]
            return
        if self._thread is None or not self._thread.is_alive():  # the child of a fork has no thread
            self._start()
        if self._ordered and self._ordered[0] != number:
            self._discard()
        self._order(number)
        buffers, error = self._done.get()
        self._ordered.popleft()
        self._free.append(buffers)
        if error is not None:
            raise error
        yield buffers
        # Not before the caller has its copy: the thread would take the interpreter lock while it copies.
        self._order(number + 1)

    def close(self) -> None:
        """End the thread and wait until it has ended.  A later call of `batch` starts another."""
        if self._thread is not None:
            self._discard()
            self._stop()
            self._thread.join()
            self._thread = None

    def _order(self, number: int) -> None:
        """Order batches for all free buffers: `number` and those after it, or those after the last order."""
        while self._free:
            following = self._ordered[-1] + 1 if self._ordered else number
            self._orders.put((following, self._free.popleft()))
            self._ordered.append(following)

    def _discard(self) -> None:
        """Cancel all orders; the thread finishes only the one that it is working on."""
        while self._ordered:
            try:
                _, buffers = self._orders.get_nowait()
            except Empty:
                buffers, _ = self._done.get()
            self._free.append(buffers)
            self._ordered.popleft()

    def _start(self) -> None:
        self._free: deque[B] = deque(self._slots)
        self._ordered: deque[int] = deque()  # batches under way or done, in order
        self._orders: SimpleQueue = SimpleQueue()
        self._done: SimpleQueue = SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._make, self._orders, self._done), name="minicaffe prefetch", daemon=True
        )
        self._thread.start()
        self._stop = weakref.finalize(self, self._orders.put, None)


def _work(make: Callable[[int, B], None], orders: SimpleQueue, done: SimpleQueue) -> None:
    """What the thread runs.  It has the queues but no reference to the Prefetch, which can therefore be
    collected while the thread waits."""
    while (order := orders.get()) is not None:
        number, buffers = order
        try:
            make(number, buffers)
            done.put((buffers, None))
        except BaseException as error:
            done.put((buffers, error))
