"""How the threads of the CPU share a loop.

A loop has PARTS parts, which follow from its length alone (dealing.py).  Numba's layers, OpenMP, TBB and a
queue, deal them out beforehand and wait until every thread has done its own, so that a thread that the system
does not run keeps all others waiting.  Here

    every thread has a share of the parts, the same one in every loop of a length, so that it finds in its
    caches what it wrote in the loop before; it takes some of them at a time, and when all are taken, some of
    another thread's: of one that does not run the others do the share;
    who waits does so for a moment in a loop, and then asleep, where it is in nobody's way.

What the threads share is a block of 64-bit words. The thread that launches a loop writes down what is to be
run, and then a ticket for every share: the number of the loop, the share's last part, and the first that is
not taken. To take some is to replace the ticket by one that says so, which succeeds only if nobody did in
between; so nobody runs a part of another loop than the one it has read of. A loop that is launched while
another one runs, by a second thread of Python, is run by the thread that launches it.
"""

from __future__ import annotations

import os

import numba
from numba import types

from .micro.atomic import add, load, replace, store
from .micro.builder import call

PARTS = 64  # of a loop: small enough that none is long, few enough that taking them costs little
MOST = 256  # threads
LOOKS = 500_000  # for work, before a thread sleeps: about 1 ms, more than lies between two layers

# Places in the block, in bytes; each with its own cache lines, since other threads write to the next.
LINE = 128
DONE, OWNED, ASLEEP, WAITING, LOOP, MUTEX, CALLED, FINISHED, TICKETS = range(0, 9 * LINE, LINE)
THUNK, ARGUMENTS, THREADS = range(LOOP, LOOP + 3 * 8, 8)
SIZE = TICKETS + MOST * LINE

FIELD = 8  # bits of a ticket that count parts: first those that are taken, then where the share ends
MASK = (1 << FIELD) - 1

# What machine code calls by its address, or Python, and the types of arguments.
RUN = (types.int64,) * 5
REPLAY = (types.int64,) * 4
SERVE = (types.int64,) * 2

HEAD = 16  # bytes in front of a loop's arguments on a tape


def _system(name: str, arguments: int):
    """A function of the system's that takes addresses."""
    return types.ExternalFunction(name, types.int32(*[types.int64] * arguments))


if os.name == "nt":  # zeros are a lock that is free, and a condition for which nobody waits
    lock, unlock = _system("AcquireSRWLockExclusive", 1), _system("ReleaseSRWLockExclusive", 1)
    wake, wake_all = _system("WakeConditionVariable", 1), _system("WakeAllConditionVariable", 1)
    sleep_for = _system("SleepConditionVariableSRW", 4)

    @numba.njit(nogil=True)
    def sleep_on(condition, mutex):
        sleep_for(condition, mutex, 0xFFFFFFFF, 0)

else:  # threads.py makes them
    lock, unlock = _system("pthread_mutex_lock", 1), _system("pthread_mutex_unlock", 1)
    wake, wake_all = _system("pthread_cond_signal", 1), _system("pthread_cond_broadcast", 1)
    sleep_on = _system("pthread_cond_wait", 2)


@numba.njit(nogil=True)
def left(ticket):
    """How many parts of a share are not taken."""
    return (ticket >> FIELD & MASK) - (ticket & MASK)


@numba.njit(nogil=True)
def take_of(team, me, owner):
    """Take parts of a thread's share of the loop that is under way, and run them, until none is left."""
    place = team + TICKETS + owner * LINE
    while True:
        ticket = load(place)
        # Nobody writes these words while there are parts to take; if none are left by now, `replace` tells.
        thunk, arguments, threads = load(team + THUNK), load(team + ARGUMENTS), load(team + THREADS)
        if left(ticket) <= 0 or me >= threads:
            return
        # Many at first, so that it is done seldom, and few at last, so that all are ready at once.
        count = max(1, left(ticket) // 2)
        if not replace(place, ticket, ticket + count):
            continue
        first = ticket & MASK
        for part in range(first, first + count):
            call(thunk, (arguments, part, PARTS, me))
        if add(team + DONE, count) + count == PARTS and load(team + WAITING):
            lock(team + MUTEX)
            wake(team + FINISHED)
            unlock(team + MUTEX)


@numba.njit(nogil=True)
def take(team, me):
    """Run parts until all are taken, those of the own share first."""
    threads = load(team + THREADS)
    for i in range(threads):
        take_of(team, me, (me + i) % threads)


@numba.njit(nogil=True)
def deal(team, threads, thunk, arguments):
    """Call the machine code at `thunk` for every part of a loop, with its number and that of the thread;
    return when all are done."""
    if threads <= 1 or not replace(team + OWNED, 0, 1):
        for part in range(PARTS):
            call(thunk, (arguments, part, PARTS, 0))
        return
    store(team + THUNK, thunk)
    store(team + ARGUMENTS, arguments)
    store(team + THREADS, threads)
    store(team + DONE, 0)
    for owner in range(threads):
        place, first, end = (
            team + TICKETS + owner * LINE,
            owner * PARTS // threads,
            (owner + 1) * PARTS // threads,
        )
        number = (load(place) >> 2 * FIELD) + 1
        store(place, (number << 2 * FIELD) + (end << FIELD) + first)
    if load(team + ASLEEP):
        lock(team + MUTEX)
        wake_all(team + CALLED)
        unlock(team + MUTEX)
    take(team, 0)
    looks = 0
    while load(team + DONE) != PARTS:
        looks += 1
        if looks > LOOKS:
            lock(team + MUTEX)
            store(team + WAITING, 1)
            while load(team + DONE) != PARTS:
                sleep_on(team + FINISHED, team + MUTEX)
            store(team + WAITING, 0)
            unlock(team + MUTEX)
    store(team + OWNED, 0)


def run(team, threads, thunk, arguments, nbytes):
    """The launcher of a loop whose arguments are so many bytes."""
    deal(team, threads, thunk, arguments)


def replay(team, threads, at, end):
    """The loops of a tape, from one address to another: of each there are its thunk, how many bytes of
    arguments it has, and these (tape.py)."""
    while at < end:
        deal(team, threads, load(at), at + HEAD)
        at += HEAD + load(at + 8)


@numba.njit(nogil=True)
def called(team, me):
    """Whether there is something to do for a thread."""
    threads = load(team + THREADS)
    if me < threads:
        for i in range(threads):
            if left(load(team + TICKETS + (me + i) % threads * LINE)) > 0:
                return True
    return False


def serve(team, me):
    """The life of thread `me` of a team: it takes part in one loop after the other, and never returns."""
    looks = 0
    while True:
        if called(team, me):
            take(team, me)
            looks = 0
        looks += 1
        if looks > LOOKS:
            lock(team + MUTEX)
            add(team + ASLEEP, 1)
            while not called(team, me):
                sleep_on(team + CALLED, team + MUTEX)
            add(team + ASLEEP, -1)
            unlock(team + MUTEX)
