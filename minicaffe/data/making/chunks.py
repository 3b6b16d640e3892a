"""Images prepared ahead of who writes them, some at a time."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from .prepare import Preparation, Prepared

CHUNK_BYTES, CHUNK = 1 << 20, 64  # pixels, and images, that a thread prepares at a time
FEW, WORTH_A_THREAD_S = 16, 0.0005  # images that are timed, and what one takes where threads are of use


def in_chunks(
    prepare: Preparation, numbers: Sequence[int], threads: int | None = None
) -> Iterator[tuple[list[int], list[Prepared]]]:
    """What `prepare` makes of every number, in their order, some numbers at a time.

    Threads prepare them ahead, by two chunks each at most.  The first image tells how many make a chunk, the
    next few whether threads are of use: only decoding and resizing let go of the interpreter.
    """
    first = prepare(numbers[0])
    yield [numbers[0]], [first]
    nbytes = first.pixels.nbytes if first.pixels is not None else CHUNK_BYTES
    step = max(1, min(CHUNK, CHUNK_BYTES // max(nbytes, 1)))
    begun = time.perf_counter()
    few = [prepare(number) for number in numbers[1 : 1 + FEW]]
    small = time.perf_counter() - begun < WORTH_A_THREAD_S * len(few)
    workers = threads or (1 if small else os.cpu_count() or 1)
    if few:
        yield list(numbers[1 : 1 + len(few)]), few
    waiting: deque[tuple[list[int], Future[list[Prepared]]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for start in range(1 + len(few), len(numbers), step):
            chunk = list(numbers[start : start + step])
            waiting.append((chunk, pool.submit(lambda some: [prepare(n) for n in some], chunk)))
            if len(waiting) > 2 * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
