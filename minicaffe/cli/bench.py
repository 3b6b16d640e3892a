"""minicaffe bench: nets and kernels beside others, and what a machine can do."""

from __future__ import annotations

import importlib

from . import flags

ACTIONS = {  # -> the module of this package that has its flags
    "net": "bench_net",
    "kernel": "bench_kernel",
    "compare": "bench_compare",
}


def parser() -> flags.Parser:
    p = flags.Parser("bench", "How fast nets and kernels are.  `bench net --help` and so on say more.")
    p.add_argument(
        "action",
        metavar="|".join(ACTIONS),
        choices=tuple(ACTIONS),
        help="whole steps of a net beside other frameworks, and every layer by itself; every algorithm that"
        " can do what a layer's kernels do; two files that these wrote with --json",
    )
    return p


def run(arguments: list[str]) -> int:
    if arguments and arguments[0] in ACTIONS:
        return importlib.import_module(f".{ACTIONS[arguments[0]]}", __package__).run(arguments[1:])
    parser().parse(arguments)
    return 0
