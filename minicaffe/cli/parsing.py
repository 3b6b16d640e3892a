"""Parsers of command lines, and the types of flags: what a command needs that needs no engine.

Flags are taken as by Caffe's tools: one dash or two, `=` or a space, in any order; inside a flag _ or -.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..errors import ConfigError, suggest
from . import terminal

# What gflags takes for the value of a boolean flag.
SWITCH = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are ConfigErrors with the closest flag."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"minicaffe {command}", description=description, allow_abbrev=False)
        self._booleans: set[str] = set()

    def flag(self, name: str, *, group: argparse._ArgumentGroup | None = None, **options) -> None:
        """Add --name, also understood with one dash (`_spelled`); listed under `group` in the help."""
        (group or self).add_argument(f"--{name}", **options)

    def boolean(self, name: str, *, help: str) -> None:
        """Add --name, which is off; gflags' --name=true, --name=false and --noname are understood too."""
        self.flag(name, action="store_true", help=help)
        self.flag(f"no{name}", action="store_false", dest=name, help=argparse.SUPPRESS)
        self._booleans.add(name)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        known, unknown = self.parse_known_intermixed_args([self._spelled(word) for word in arguments])
        if unknown:
            word = unknown[0]
            if not word.startswith("-"):
                self.error(f"surplus argument {word!r}")
            flags = [flag[2:] for flag in self._option_string_actions if flag.startswith("--")]
            close = re.findall(r"'(\w+)'", suggest(word.lstrip("-").split("=")[0], flags))
            if not close:
                self.error(f"no flag {word!r}")
            hint = f"did you mean {' or '.join(f'--{flag}' for flag in close)}?"
            raise ConfigError(f"no flag {word!r}", hint=hint)
        return known

    def _spelled(self, word: str) -> str:
        """A word of the command line; a flag written with one dash, -solver, or with dashes inside,
        --verify-resume, as --verify_resume, and --gray=false as --nogray."""
        name, equals, value = word.partition("=")
        bare = name.lstrip("-")
        dashes, flag = name[: len(name) - len(bare)], f"--{bare.replace('-', '_')}"
        if dashes and equals and flag[2:] in self._booleans:
            if value.lower() not in SWITCH:
                self.error(f"{flag} is true or false; got {value!r}")
            return flag if SWITCH[value.lower()] else f"--no{flag[2:]}"
        known = dashes in ("-", "--") and name not in self._option_string_actions
        return flag + equals + value if known and flag in self._option_string_actions else word

    def error(self, message: str) -> NoReturn:
        raise ConfigError(
            message.removeprefix("argument " if message.startswith("argument -") else ""),
            hint=f"see {self.prog} --help",
        )

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        terminal.flush()
        super().exit(status, message)

    def _print_message(self, message: str, file: Any = None) -> None:
        terminal.show(message.rstrip("\n"))


def at_least(least: int) -> Callable[[str], int]:
    """The type of a flag that is a number from `least` on."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}; got {text}")
        return int(text)

    number.__name__ = "int"  # as argparse names it for what is no number
    return number


def seed(text: str) -> int:
    """The type of a flag that is a random_seed."""
    if not 0 <= int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1; got {text}")
    return int(text)


seed.__name__ = "int"


def utf8(text: str) -> str:
    """The type of a flag that becomes a text of a message, which names of files need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"must be UTF-8; got {text!a}") from None
    return text


def positive(text: str) -> float:
    """The type of a flag that is a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text}")
    return value


def not_negative(text: str) -> float:
    """The type of a flag that is a finite number, 0 or more."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more; got {text}")
    return value


positive.__name__ = not_negative.__name__ = "float"
