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
    """Numbered batches, prepared by a thread before they are asked for.

    make      make(number, buffers) writes batch `number` into `buffers`.  It runs in the thread, one call at
              a time; it may not call parallel kernels (two parallel regions at once would fight for the
              processors), nor hold a reference to what owns this object
    slots     the buffers, used in turn: as many batches are ready or under way, the next one first
    threaded  False: `make` runs when a batch is asked for

    All decisions are the caller's: it hands the thread orders (number, buffers) and gets each back, done or
    with the error that it met.  So nothing is shared and nothing needs a lock.  The thread ends with `close`,
    or when this object is no longer referenced, or with the process.
    """

    def __init__(self, make: Callable[[int, B], None], slots: Sequence[B], *, threaded: bool = True) -> None:
        self._make = make
        self._slots = list(slots)
        self._threaded = threaded
        self._thread: threading.Thread | None = None

    @contextmanager
    def batch(self, number: int) -> Iterator[B]:
        """The buffers that hold batch `number`; on leaving, the thread gets them back for a later batch.

        The next batch in order is ready or under way; any other starts the thread over from there.  An error
        that `make` raised for this batch is raised here.
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
        """End the thread and wait for it; `batch` may start another."""
        if self._thread is not None:
            self._discard()
            self._stop()
            self._thread.join()
            self._thread = None

    def _order(self, number: int) -> None:
        """Have all free buffers filled: with `number` and what follows, or what follows the last order."""
        while self._free:
            following = self._ordered[-1] + 1 if self._ordered else number
            self._orders.put((following, self._free.popleft()))
            self._ordered.append(following)

    def _discard(self) -> None:
        """Take back all orders; the thread finishes only the one it is at."""
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
    """The thread; it knows the queues but not the Prefetch, so that this can be collected while it waits."""
    while (order := orders.get()) is not None:
        number, buffers = order
        try:
            make(number, buffers)
            done.put((buffers, None))
        except BaseException as error:
            done.put((buffers, error))
