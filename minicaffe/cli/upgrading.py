"""What Caffe's three upgrade programs share: read a file of any schema, write it in the current one.

    upgrade_net_proto_text     IN OUT
    upgrade_net_proto_binary   IN OUT
    upgrade_solver_proto_text  IN OUT

Exit status as in Caffe: 0; 2 if IN cannot be read or parsed; 1 for everything else, also if the file is
written but held something that the current schema cannot say, which the log names.

Differs: where Caffe aborts in the middle of an upgrade (SIGABRT), and for a file that cannot be written, the
status is 1, and OUT stays as it was.  What changes nothing is no upgrade: Caffe says otherwise of a BatchNorm
layer with three param whose lr_mult are all 0.

Source: Caffe's tools/upgrade_{net_proto_text,net_proto_binary,solver_proto_text}.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from .. import log
from ..errors import MiniCaffeError
from ..proto.schema import Message
from . import flags, output, terminal

M = TypeVar("M", bound=Message)

UNREADABLE = 2


class Upgraded(NamedTuple):
    """What an upgrade did to a message."""

    changed: bool
    lost: Sequence[str] = ()  # what the current schema cannot say


@dataclass(frozen=True)
class Upgrade(Generic[M]):
    """One of the three: how it reads, upgrades and spells its kind of file."""

    command: str
    what: str  # in Caffe's words: NetParameter text
    read: Callable[[str], M]
    upgrade: Callable[[M, str], Upgraded]  # in place
    spell: Callable[[M], bytes]

    def parser(self) -> flags.Parser:
        p = flags.Parser(self.command, f"Rewrite a {self.what} file of any schema in the current one.")
        p.add_argument("input", metavar="IN", help="the file to read")
        p.add_argument("output", metavar="OUT", help="the file to write; may be IN")
        return p

    def run(self, arguments: list[str]) -> int:
        args = self.parser().parse(arguments)
        terminal.start_log()
        try:
            message = self.read(args.input)
        except MiniCaffeError as error:
            terminal.complain(f"minicaffe {self.command}: error: {error}")
            return UNREADABLE
        done = self.upgrade(message, args.input)
        if done.lost:
            log.error("Encountered error(s) while upgrading prototxt; see details above.")
        if not done.changed:
            log.error(f"File already in latest proto format: {args.input}")
        output.write({args.output: self.spell(message)})
        log.info(f"Wrote upgraded {self.what} proto to {args.output}")
        return 1 if done.lost else 0
