"""minicaffe run: commands to a run that is under way."""

from __future__ import annotations

from ..errors import ConfigError, suggest
from ..log import number
from ..runs import listing
from ..runs.control import rate_of, send
from ..runs.home import Home
from . import flags, terminal
from .runs import table

WORDS = ("pause", "resume", "stop", "snapshot", "lr=RATE")


def parser() -> flags.Parser:
    p = flags.Parser("run", "Command a run that is under way, between two iterations, or show its state.")
    p.add_argument("folder", metavar="DIR", help="the run's folder")
    p.add_argument("word", nargs="?", metavar="COMMAND", help=f"{', '.join(WORDS)}; nothing: its state")
    p.flag(
        "timeout",
        type=flags.positive,
        default=60,
        metavar="S",
        help="seconds to wait for the answer (default 60)",
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    home = Home(args.folder)
    if not home.exists:
        raise ConfigError(f"{args.folder} holds no run", hint="minicaffe runs lists them")
    if args.word is None:
        terminal.show(table([listing.describe(home)]))
        return 0
    word, given, rate = args.word.partition("=")
    if word == "lr" and given:
        answer = send(home, "set_lr", rate_of(_number(rate)), timeout_s=args.timeout)
    elif word in WORDS and not given:
        answer = send(home, word, timeout_s=args.timeout)
    else:
        raise ConfigError(f"no command {args.word!r}", hint=suggest(args.word, WORDS))
    if answer is None:
        raise ConfigError(
            f"{args.folder}: no answer to {args.word} in {number(args.timeout)} s",
            hint="an iteration or a test may take longer; the command stands",
        )
    if not answer["ok"]:
        raise ConfigError(f"{args.folder}: {answer['error']}")
    terminal.say(f"{args.word}: done at iteration {answer['iteration']}")
    return 0


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
