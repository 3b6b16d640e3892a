"""minicaffe cache: what is kept on this machine for later runs, and its removal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..checking.table import aligned, size
from ..errors import DataError
from ..files import user_cache
from ..kernels import cache
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "cache",
        "List what is kept on this machine for later runs: compiled kernels, which are compiled again if they"
        " are gone, and data sets that were downloaded.  Uninstalling leaves it where it is.",
    )
    p.add_argument("action", nargs="?", choices=("info", "clear"), default="info", help="list or remove it")
    p.add_argument(
        "what", nargs="?", choices=("kernels", "data", "all"), default="kernels", help="of clear (kernels)"
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    kinds = [("kernels", path) for path in cache.kept()]
    home = user_cache()
    if home is not None and (home / "data").is_dir():
        kinds.append(("data", home / "data"))
    if not kinds:
        terminal.say("nothing is kept")
        return 0
    cells = [[kind, size(_bytes(path)), str(path)] for kind, path in kinds]
    terminal.show(aligned(["what", "size", "where"], cells, "<><"))
    for kind, path in kinds:
        if args.action == "clear" and args.what in (kind, "all"):
            _remove(path)
            terminal.say(f"removed {path}")
    return 0


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        name = os.fspath(error.filename or folder)
        raise DataError(f"cannot remove {name}: {error.strerror or error}") from None
