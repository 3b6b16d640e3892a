"""minicaffe bench: nets and kernels beside others, and what a machine can do."""

from __future__ import annotations

import importlib

from ..errors import ConfigError, suggest
from . import terminal

ACTIONS = {  # -> the module of this package that has its flags
    "net": "bench_net",
}
USAGE = """usage: minicaffe bench net NET          every layer, and whole steps beside PyTorch and others

  minicaffe bench ACTION --help says more"""


def run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-help", "-h"):
        terminal.show(USAGE)
        return 0
    action, *rest = arguments
    if action not in ACTIONS:
        raise ConfigError(
            f"bench {action}: no such action", hint=suggest(action, ACTIONS) or USAGE.split("\n")[0]
        )
    return importlib.import_module(f".{ACTIONS[action]}", __package__).run(rest)
