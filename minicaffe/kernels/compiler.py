"""Kernels are compiled in a process of their own, and every process runs what the cache holds.

Numba keeps two machine codes of a parallel loop: the one it has just compiled, and the one it stores, which
LLVM has optimized once more.  Both are right, but they may order a sum or fuse a product differently, so the
run that compiled would differ in the last bit from the same run resumed.  Here the compiling is done
elsewhere, and the process that asked loads the stored code like every later one.

    parent                               child
    module path, cache folder        ->
    (module, name, signature, wait)  ->  compiles, stores in FOLDER
                                     <-  a line, when done

Who can tell in advance what will be called (cpu.rehearsal) has it compiled by as many children as there are
processors.  Processes that start at once share the work: a kernel that one of them is compiling, the others
leave to it.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from .. import log
from . import cache

REPORT_S = 2  # between two lines on how far compiling is

# What a child is asked for: module and name of a function, the types of its arguments.
Request = tuple[str, str, tuple]

START = (  # the child: compile_server.py
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    f" from {__package__}.compile_server import serve; serve()"
)


class KernelCache(FunctionCache):
    """Numba's cache of one function, in the project's folder; what it lacks, it has compiled elsewhere."""

    delegates = True  # False in the child

    def __init__(self, function: Callable, folder: Path):
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            super().__init__(function)  # looks at CACHE_DIR now, once
        finally:
            numba.config.CACHE_DIR = before
        self.owner = function.__module__, function.__name__
        self.folder = folder
        if function.__module__.startswith(f"{__package__}."):
            # Numba keeps code apart by path and time of the source.  The folder is named after the text of
            # all sources, so that copies of the project can share it.
            self._cache_path = str(folder / function.__module__)
            self._impl._locator = _Locator(self._cache_path, self._impl.locator)
            self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, "")

    def load_overload(self, sig, target_context):
        """The stored code for a signature; None if there is none to be had, and Numba then compiles here."""
        found = self._load(sig, target_context)
        if found is None and self.delegates and child(self.folder).compile((*self.owner, sig)) == "stored":
            found = self._load(sig, target_context)
        return found

    def lacks(self, sig, target_context) -> bool:
        """Whether there is no stored code for a signature."""
        try:
            return self._index_key(sig, target_context.codegen()) not in self._cache_file._load_index()
        except Exception:  # damaged: loading says so
            return True

    def _load(self, sig, target_context):
        """What Numba finds.  A power cut can leave files without their content: they are made anew."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # whatever unpickling raises
            log.warning(f"The cached code of {'.'.join(self.owner)} is damaged and made anew: {error}")
            with contextlib.suppress(OSError), cache.alone(self.folder / "index.lock"):
                self._cache_file.flush()
            return None

    def save_overload(self, sig, data):
        # Numba reads the index, adds a number to it and writes the code under that number: two processes at
        # once would give two signatures the same number.
        try:
            with cache.alone(self.folder / "index.lock"):
                super().save_overload(sig, data)
        except OSError as error:  # a full disk, a file system without locks: the code runs all the same
            log.warning(f"Kernels cannot be cached in {self.folder}: {error.strerror or error}")


class _Locator:
    """What Numba asks of its locator of a cache."""

    def __init__(self, path: str, numbas: Any):
        self.path, self.numbas, self._py_file = path, numbas, numbas._py_file

    def ensure_cache_path(self) -> None:
        os.makedirs(self.path, exist_ok=True)

    def get_cache_path(self) -> str:
        return self.path

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return self.numbas.get_disambiguator()


class Child:
    """A compiling process; started by its first request, ends when it is closed or this process ends."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None

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
        """What became of a request: "stored", or "busy" if another process is compiling this and is not to be
        waited for, or "" if the child cannot; compiling here will show why."""
        try:
            self.process = self.process or self.start()
            self.process.stdin.write(pickle.dumps((*request, wait)))
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
    """The child that is asked for what was not asked for in advance."""
    log.notice("Compiling kernels for this processor; later runs load them from the cache")
    return Child(folder)


def compile_all(folder: Path, requests: list[Request]) -> None:
    """Have all of this compiled, on all processors at once, and say how far it is.

    What another process compiles meanwhile is left to it, and waited for at the end.
    """
    if not requests:
        return
    count, left, done = len(requests), collections.deque((request, False) for request in requests), 0
    log.notice(f"Compiling {count} kernels for this processor; later runs load them from the cache")
    said, lock = time.monotonic(), threading.Lock()

    def work(child: Child) -> None:
        nonlocal done, said
        while left:
            try:
                request, wait = left.popleft()
            except IndexError:  # another thread took the last one
                break
            if child.compile(request, wait=wait) == "busy":
                left.append((request, True))
                continue
            with lock:
                done += 1
                if time.monotonic() - said > REPORT_S and done < count:
                    said = time.monotonic()
                    log.notice(f"Compiling kernels: {done} of {count} done")
        child.close()

    children = [Child(folder) for _ in range(min(usable_processors(), count))]
    threads = [threading.Thread(target=work, args=(child,), daemon=True) for child in children]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # interrupted
        left.clear()
        for child in children:
            child.kill()
        raise


def usable_processors() -> int:
    """How many processors this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
