"""minicaffe new: the nets of the package, listed or copied."""

from __future__ import annotations

import json
import shlex

from .. import zoo
from ..checking.table import aligned
from ..errors import ConfigError
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "new",
        "List the nets that come with the package, or write one of them, with its solvers and README, into a"
        " new folder, to be changed.  As they are they run without: minicaffe train NAME.",
    )
    p.add_argument("name", nargs="?", metavar="NAME", help="the net; without it, all are listed")
    p.add_argument("folder", nargs="?", metavar="FOLDER", help="what to make (default: a folder NAME here)")
    p.flag("json", action="store_true", help="the list for programs")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.name is None:
        _list(args.json)
        return 0
    if args.json:
        raise ConfigError("--json is for the list", hint="leave the name out")
    folder = args.folder or args.name
    for file in zoo.write(args.name, folder):
        terminal.say(f"{folder}/{file}")
    begin = zoo.find(folder, "solver")
    data = " --source TRAIN,VAL" if begin.endswith("all_in_one.prototxt") else ""
    terminal.say(f"README.md says what it is; minicaffe train {shlex.quote(begin)}{data} trains it")
    return 0


def _list(as_json: bool) -> None:
    entries = zoo.entries().values()
    if as_json:
        rows = [entry._asdict() | {"files": [path.name for path in entry.files]} for entry in entries]
        terminal.show(json.dumps(rows, indent=2))
        return
    terminal.show(aligned(["name", "net", "data"], entries, "<<<", width=terminal.width()))
    terminal.say("minicaffe new NAME copies one, to be changed; minicaffe train NAME trains it as it is.")
