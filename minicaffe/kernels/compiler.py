"""Kernels are compiled in a process of their own, and every process runs what the cache holds.

Numba keeps two machine codes of a parallel loop: the one it has just compiled, and the one it stores, which
LLVM has optimized once more.  Both are right, but they may order a sum or fuse a product differently, so the
run that compiled would differ in the last bit from the same run resumed.  Here the compiling is done
elsewhere, and the process that asked loads the stored code like every later one.

    parent                               child
    module path, cache folder        ->
    (module, name, types, wait)      ->  compiles, stores in FOLDER
                                     <-  a line, when done

Who can tell in advance what will be called (cpu.rehearse) has it compiled by as many children as there are
processors.  Processes that start at once share the work: a kernel that one of them is compiling, the others
leave to it.
"""

from __future__ import annotations

import collections
import functools
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

from .. import log
from .kept import Full, complain
from .stored import Request

REPORT_S = 2  # between two lines on how far compiling is
FEW = 3  # kernels

START = (  # the child: compile_server.py
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    f" from {__package__}.compile_server import serve; serve()"
)


class Child:
    """A compiling process; started by its first request, ends when it is closed or this process ends."""

    def __init__(self, folder: Path):
        self.folder, self.announced = folder, False
        self.process: subprocess.Popen | None = None

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> subprocess.Popen:
        process = subprocess.Popen(
            # -I: the working folder and PYTHONPATH are no place for modules; sys.path comes from the parent.
            [sys.executable, "-I", "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        process.stdin.write(pickle.dumps(sys.path) + pickle.dumps(self.folder))
        return process

    def compile(self, request: Request, *, wait: bool = True) -> str:
        """What became of a request: "stored"; "busy" if another process is compiling this and is not to be
        waited for; "full: REASON" if nothing can be stored; else something else, and compiling here will show
        why it failed."""
        module, name, types = request
        try:
            self.process = self.process or self.start()
            self.process.stdin.write(pickle.dumps((module, name, pickle.dumps(types), wait)))
            return self.process.stdout.readline().decode().strip()
        except (OSError, pickle.PicklingError):  # no such interpreter, or it has died
            return ""
        except BaseException:  # interrupted: its reply would pass for the one to the next request
            self.kill()
            raise

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process = None

    def close(self) -> None:
        """Let the process end: it takes some 100 MB."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


@functools.cache
def child(folder: Path) -> Child:
    """The child that is asked for what was not ordered in advance; it stays."""
    return Child(folder)


def order(folder: Path, request: Request) -> bool:
    """Have something compiled; whether it now lies in the cache folder."""
    if Full.said or request[0] == "__main__":  # which is another module in the child
        return False
    asked = child(folder)
    if not asked.announced:
        asked.announced = True
        log.notice("Compiling kernels for this processor; later runs load them from the cache")
    reply = asked.compile(request)
    _note_full(folder, reply)
    return reply == "stored"


def _note_full(folder: Path, reply: str) -> None:
    if reply.startswith("full: "):
        complain(folder, reply.removeprefix("full: "))


def compile_all(folder: Path, requests: list[Request]) -> None:
    """Have all of this compiled, on all processors at once, and say how far it is; but a few kernels by the
    child that stays, since others would be about as long in starting.  If it runs already, it is one of all:
    it knows many of the functions that kernels call.

    What another process compiles meanwhile is left to it, and waited for at the end.
    """
    requests = [request for request in requests if request[0] != "__main__"]
    if not requests or Full.said:
        return
    if len(requests) <= FEW:
        for request in requests:
            order(folder, request)
        return
    count, left, done = len(requests), collections.deque((request, False) for request in requests), 0
    log.notice(f"Compiling {count} kernels for this processor; later runs load them from the cache")
    said, lock = time.monotonic(), threading.Lock()

    def work(asked: Child) -> None:
        nonlocal done, said
        while left:
            try:
                request, wait = left.popleft()
            except IndexError:  # another thread took the last one
                break
            reply = asked.compile(request, wait=wait)
            if reply == "busy":
                left.append((request, True))
                continue
            if reply.startswith("full: "):
                left.clear()
            with lock:
                _note_full(folder, reply)
                done += 1
                if time.monotonic() - said > REPORT_S and done < count:
                    said = time.monotonic()
                    log.notice(f"Compiling kernels: {done} of {count} done")
        if asked is not staying:
            asked.close()

    staying = child(folder)
    children = [staying] * staying.runs
    children += [Child(folder) for _ in range(min(usable_processors(), count) - len(children))]
    threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in children]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # interrupted
        left.clear()
        for each in children:
            each.kill()
        raise


def usable_processors() -> int:
    """How many processors this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
