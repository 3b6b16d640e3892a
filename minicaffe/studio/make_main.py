"""python -m minicaffe.studio.make_main FOLDER: the process that makes one data set for the page.

FOLDER holds request.json; progress.json is written there, and `lock` is held, by the file that was open
when this process began, for as long as it lives.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ..data.making import Options, make
from ..errors import DataError, MiniCaffeError
from ..files import write_atomic
from .unpacking import source_in, unpack
from .worker import to_plain

MEMORY_BYTES = 1 << 33
PROCESSOR_S = 6 * 3600
EVERY_S = 0.3  # progress is written no more often
REQUEST, PROGRESS, ARCHIVE, FILES = "request.json", "progress.json", "archive.zip", "files"


class Progress:
    """How far it is, in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._written = folder, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if (now := time.monotonic()) - self._written >= EVERY_S or done == total:
            self._written = now
            self.write({"status": "Running", "stage": stage, "done": done, "total": total})

    def write(self, state: dict[str, Any]) -> None:
        write_atomic(self.folder / PROGRESS, json.dumps(state).encode())


def main(folder: Path) -> int:
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, PROCESSOR_S)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # what was begun is removed
    request, progress = json.loads((folder / REQUEST).read_text("utf-8")), Progress(folder)
    try:
        _make(folder, request, progress)
    except MiniCaffeError as error:
        progress.write({"status": "Error", "error": to_plain(error)})
        return 1
    except MemoryError:
        lack = DataError(
            f"more than {MEMORY_BYTES >> 30} GiB of memory are needed", hint="give a smaller size"
        )
        progress.write({"status": "Error", "error": to_plain(lack)})
        return 1
    finally:
        shutil.rmtree(folder / FILES, ignore_errors=True)
        (folder / ARCHIVE).unlink(missing_ok=True)
    progress.write({"status": "Done"})
    return 0


def _make(folder: Path, request: dict[str, Any], progress: Progress) -> None:
    files = folder / FILES
    if (folder / ARCHIVE).exists():
        files.mkdir(exist_ok=True)
        unpack(folder / ARCHIVE, files, lambda done, total: progress("unpacking", done, total))
    source = source_in(files) if files.exists() else Path(request["source"])
    progress("looking for images", 0, 0)
    refuse_links(
        source, [Path(root) for root in (files,) if root.exists()] or [Path(r) for r in request["roots"]]
    )
    options = dict(request["options"])
    if options.get("size"):
        options["size"] = tuple(options["size"])
    make(
        source,
        request["home"],
        Options(**options),
        lambda done, total: progress("reading images", done, total),
    )


def refuse_links(source: Path, roots: list[Path]) -> None:
    """DataError for a link below a source that leads out of the roots."""
    within = [root.resolve() for root in roots]
    for where, folders, names in os.walk(source):
        for name in [*folders, *names]:
            path = Path(where, name)
            if path.is_symlink() and not any(path.resolve().is_relative_to(root) for root in within):
                raise DataError(
                    f"{path} is a link that leads elsewhere", hint="remove it, or start studio with --root"
                )


def _limit(kind: int, value: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, hard))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
