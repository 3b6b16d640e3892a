"""Reading ahead."""

import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minicaffe.data.prefetch import Prefetch
from minicaffe.errors import DataError


class Maker:
    """Writes the number of the batch into its buffer, and remembers what it was asked for."""

    def __init__(self, *, fails: int | None = None, delay_s: float = 0.0) -> None:
        self.fails, self.delay_s = fails, delay_s
        self.made: list[int] = []
        self.threads: set[int] = set()

    def __call__(self, number: int, buffer: np.ndarray) -> None:
        self.made.append(number)
        self.threads.add(threading.get_ident())
        time.sleep(self.delay_s)
        if number == self.fails:
            raise DataError(f"batch {number} is damaged", hint="none")
        buffer[:] = number


def buffers(count: int) -> list[np.ndarray]:
    return [np.full(3, -1) for _ in range(count)]


def get(ahead: Prefetch, number: int) -> int:
    with ahead.batch(number) as buffer:
        assert (buffer == buffer[0]).all()
        return int(buffer[0])


OTHERS: set[threading.Thread] = set()  # of earlier tests, which the traceback of one that failed may keep


def workers() -> int:
    running = set(threading.enumerate()) - OTHERS
    return sum(thread.name == "minicaffe prefetch" for thread in running)


def eventually(condition) -> None:
    """Wait until the condition holds; fail after five seconds."""
    limit = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < limit, "it never came to be"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    OTHERS.update(threading.enumerate())
    yield
    if workers():  # what holds one may be a circle, and to look for circles takes long
        gc.collect()
    eventually(lambda: workers() == 0)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_batches_come_in_order_from_one_thread(depth):
    make = Maker()
    ahead = Prefetch(make, buffers(depth))
    assert [get(ahead, n) for n in range(50)] == list(range(50))
    assert make.made[:50] == list(range(50)) and len(make.threads) == 1
    assert threading.get_ident() not in make.threads


@pytest.mark.parametrize("depth", [1, 3])
def test_as_many_are_prepared_as_there_are_buffers(depth):
    make = Maker()
    ahead = Prefetch(make, buffers(depth))
    get(ahead, 0)
    eventually(lambda: make.made == list(range(depth + 1)))
    time.sleep(0.01)
    assert make.made == list(range(depth + 1))


def test_a_batch_stays_while_the_caller_holds_it():
    ahead = Prefetch(Maker(), buffers(2))
    for number in range(20):
        with ahead.batch(number) as buffer:
            time.sleep(0.001)
            assert (buffer == number).all()


@pytest.mark.parametrize("delay_s", [0.0, 0.002])
def test_any_other_batch_starts_over_from_there(delay_s):
    ahead = Prefetch(Maker(delay_s=delay_s), buffers(3))
    numbers = [0, 1, 2, 1000, 1001, 1001, 1001, 5, 6, 8, 7, 8, 0]
    assert [get(ahead, n) for n in numbers] == numbers


def test_without_a_thread_nothing_is_prepared():
    make = Maker()
    ahead = Prefetch(make, buffers(1), threaded=False)
    assert [get(ahead, n) for n in (3, 4, 9)] == [3, 4, 9] == make.made
    assert make.threads == {threading.get_ident()}


@pytest.mark.parametrize("threaded", [True, False])
def test_an_error_comes_with_its_batch_and_the_thread_goes_on(threaded):
    make = Maker(fails=5)
    ahead = Prefetch(make, buffers(3), threaded=threaded)
    assert [get(ahead, n) for n in range(5)] == list(range(5))
    for _ in range(2):
        with pytest.raises(DataError, match="batch 5 is damaged; hint: none"):
            get(ahead, 5)
    assert [get(ahead, n) for n in (6, 7, 8)] == [6, 7, 8]
    make.fails = None
    assert get(ahead, 5) == 5


def test_an_error_of_the_caller_does_no_harm():
    ahead = Prefetch(Maker(), buffers(2))
    with pytest.raises(KeyError), ahead.batch(0):
        raise KeyError
    assert [get(ahead, n) for n in (1, 2)] == [1, 2]


def test_close_ends_the_thread_at_once_and_can_be_repeated():
    make = Maker(delay_s=0.01)
    ahead = Prefetch(make, buffers(20))
    get(ahead, 0)
    ahead.close()
    assert workers() == 0 and len(make.made) < 10
    ahead.close()
    assert get(ahead, 3) == 3  # another thread
    ahead.close()
    Prefetch(make, buffers(1)).close()  # none was ever started


def test_the_thread_ends_with_its_object():
    ahead = Prefetch(Maker(), buffers(2))
    get(ahead, 0)
    assert workers() == 1
    del ahead
    eventually(lambda: workers() == 0)


def test_the_interpreter_does_not_wait_for_the_thread():
    """Neither for one that is idle nor for one in the middle of a batch."""
    program = """
import time
from minicaffe.data.prefetch import Prefetch
ahead = Prefetch(lambda number, buffer: time.sleep(0 if number == 0 else 60), [None, None])
with ahead.batch(0):
    pass
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_the_child_of_a_fork_starts_a_thread_of_its_own():
    program = """
import os
from minicaffe.data.prefetch import Prefetch
ahead = Prefetch(lambda number, buffer: buffer.__setitem__(0, number), [[0], [0]])
with ahead.batch(0):
    pass
child = os.fork()
with ahead.batch(1) as buffer:
    assert buffer == [1]
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    if not hasattr(__import__("os"), "fork"):
        pytest.skip("this platform cannot fork")
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=30)
