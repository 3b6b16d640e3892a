"""minicaffe convert: rewrites a net or solver in today's schema."""

from __future__ import annotations

import logging
import sys

from .. import log
from ..errors import ConfigError, DataError
from ..files import write_atomic
from ..proto import extensions, text, upgrade
from ..proto.schema import Message, SolverParameter
from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("convert", "Rewrite a net or solver prototxt in the current schema.")
    p.add_argument("input", metavar="IN", help="a net or solver, of any schema")
    p.add_argument("output", metavar="OUT", help="the prototxt to write; - for the terminal")
    p.flag("strip", action="store_true", help="remove our extensions, so that Caffe reads it; says what went")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    log.to_stderr(level=logging.WARNING)
    message: Message
    if text.is_net(args.input):
        message = upgrade.read_net(args.input)
    else:
        message = solver = text.read(args.input, SolverParameter)
        upgrade.upgrade_solver(solver, args.input)
    if args.strip:
        for line in extensions.strip(message):
            print(f"{args.input}: {line}", file=sys.stderr)
    content = text.spell(message)
    if args.output == "-":
        print(content, end="")
        return 0
    if not content:
        raise ConfigError(f"{args.input} holds nothing that could be written")
    try:
        write_atomic(args.output, content.encode())
    except (OSError, ValueError) as error:  # ValueError: a name that is none, such as .
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {args.output}: {reason}") from None
    return 0
