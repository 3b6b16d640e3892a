"""The program of a worker: calls come in at its stdin as frames, results go out at its stdout.

python -m minicaffe.studio.worker_main BYTES     how many bytes of addresses it may take
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO

from ..errors import DataError, MiniCaffeError
from . import frames
from .worker import to_plain

LARGEST_FILE_BYTES = 1 << 30


def main() -> None:
    limit(int(sys.argv[1]))
    calls, results = _private_pipes()
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls, waiting), daemon=True).start()
    while True:
        results.write(frames.pack(answer(waiting.get())))
        results.flush()


def limit(most_bytes: int) -> None:
    """Let this process take no more, write no large files, and leave no image of its memory."""
    import resource

    for what, most in (
        (resource.RLIMIT_AS, most_bytes),
        (resource.RLIMIT_FSIZE, LARGEST_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def answer(call: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a call: its result, an error of the user's, or a fault of ours."""
    try:
        module, _, name = call["function"].partition(":")
        return {"result": getattr(importlib.import_module(module), name)(**call["arguments"])}
    except MemoryError:
        return {"error": to_plain(DataError("it takes more memory than it may", hint="ask for less"))}
    except MiniCaffeError as error:
        return {"error": to_plain(error)}
    except Exception as error:
        traceback.print_exc()
        return {"fault": f"{type(error).__name__}: {error}"}


def _listen(calls: BinaryIO, waiting: queue.SimpleQueue[Any]) -> None:
    """Hand on the calls; a server that is gone ends this process, whatever it computes."""
    while True:
        try:
            waiting.put(frames.unpack(calls))
        except (EOFError, OSError):
            os._exit(0)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """stdin and stdout for frames alone: what libraries print goes to stderr."""
    calls, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return calls, results


if __name__ == "__main__":
    main()
