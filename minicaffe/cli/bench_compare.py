"""minicaffe bench compare: two files that `bench net --json` or `bench kernel --json` wrote."""

from __future__ import annotations

from ..bench import compare
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "bench compare",
        "Compare two files of `bench net --json` or `bench kernel --json`: the medians, and whether the"
        " difference is more than the spread.",
    )
    p.add_argument("before", metavar="BEFORE.json")
    p.add_argument("after", metavar="AFTER.json")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.show(compare.compare(args.before, args.after, terminal.width()))
    return 0
