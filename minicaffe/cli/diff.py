"""minicaffe diff: what differs between two nets, weights or solver states, or between two backends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from .. import log
from ..checking.diff import arrays, backends, fields, report
from ..convert import formats
from ..convert.model import load, through_net
from ..errors import ConfigError
from ..net import Net
from ..proto.schema import Message, NetParameter, SolverParameter, SolverState
from . import flags, terminal

USAGE = "minicaffe diff A B, or minicaffe diff --model NET --backends cpu,float64"


def parser() -> flags.Parser:
    p = flags.Parser(
        "diff",
        "Say what differs between two files, nets or solvers field by field in the current schema, weights of"
        " any format and solver states array by array; or between one net on two backends, every layer on the"
        " same input, forward and, where the net learns, backward.  Exit status 1 if anything differs by more"
        " than the tolerance.",
    )
    p.usage = (
        "minicaffe diff A B [--model NET [--level N] [--stage A,B]]\n"
        "                      [--tolerance T] [--json]\n"
        "       minicaffe diff --model NET [--weights W] --backends A,B\n"
        "                      [--tolerance T] [--json] [--phase TRAIN|TEST]\n"
        "                      [--level N] [--stage A,B] [--seed N] [--threads N]"
    )
    p.add_argument("files", nargs="*", metavar="FILE", help="two nets, solvers, weights or solver states")
    p.flag("model", metavar="NET", help="compare weights as this net has them; or the net for --backends")
    p.flag("weights", metavar="FILE", help="weights for --backends")
    p.flag("backends", metavar="A,B", help=f"two of {', '.join(backends.BACKENDS)}")
    p.flag(
        "tolerance",
        type=float,
        metavar="T",
        help="the largest |a - b| allowed, as a share of the largest value of its blob"
        f" (default 0 for files, {backends.TOLERANCE:g} for backends)",
    )
    p.flag("phase", choices=("TRAIN", "TEST"), help="of --backends (default TRAIN)")
    p.flag("level", type=int, metavar="N", help="level of the net's state (default 0)")
    p.flag(
        "stage",
        type=flags.utf8,
        default="",
        metavar="A,B",
        help="stages of the net's state, separated by commas",
    )
    p.flag(
        "seed", type=flags.at_least(0), metavar="N", help="of --backends: of weights and inputs (default 1)"
    )
    flags.add_threads(p)
    p.flag("json", action="store_true", help="for programs")
    flags.add_largest(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    if args.tolerance is not None and not args.tolerance >= 0:
        raise ConfigError(f"--tolerance must be at least 0; got {args.tolerance:g}")
    if args.backends:
        return _backends(args)
    if len(args.files) != 2:
        raise ConfigError(f"takes 2 files; got {len(args.files)}", hint=USAGE)
    _refuse(args, ["weights", "phase", "seed", "threads"], "--backends")
    if not args.model:
        _refuse(args, ["level", "stage"], "--model")
    first, second = (_read(args, path) for path in args.files)
    if _kind(first) != _kind(second):
        raise ConfigError(
            f"{args.files[0]} holds {_kind(first)}, {args.files[1]} {_kind(second)}",
            hint="compare two of a kind",
        )
    if isinstance(first, SolverState) or _kind(first) == WEIGHTS:
        return _arrays(args, first, second)
    return _fields(args, first, second)


def _refuse(args: argparse.Namespace, names: Sequence[str], partner: str) -> None:
    for name in names:
        if getattr(args, name) not in (None, ""):
            raise ConfigError(f"--{name} goes with {partner}", hint=USAGE)


WEIGHTS = "weights"


def _kind(message: Message) -> str:
    if isinstance(message, NetParameter):
        return WEIGHTS if any(layer.blobs for layer in message.layer) else "a net"
    return "a solver" if isinstance(message, SolverParameter) else "a solver state"


def _read(args: argparse.Namespace, path: str) -> Message:
    if args.model is not None:
        return through_net(
            args.model,
            path,
            level=args.level or 0,
            stages=flags.stages(args),
            largest_bytes=args.largest_file,
        )
    return formats.read(path, args.largest_file)


def _fields(args: argparse.Namespace, first: Message, second: Message) -> int:
    found = fields.differences(first, second)
    if args.json:
        _print_json(args, not found, found[:1], found)
    else:
        if found:
            terminal.show(report.fields_table(found, terminal.width()))
        terminal.say(
            f"{len(found)} field{'s differ' if len(found) > 1 else ' differs'}" if found else "equal"
        )
    return int(bool(found))


def _arrays(args: argparse.Namespace, first: Message, second: Message) -> int:
    rows = arrays.compare(arrays.of_message(first), arrays.of_message(second))
    table = report.arrays_table(rows, terminal.width()) if any(row.absolute for row in rows) else ""
    return _verdict(args, rows, args.tolerance or 0.0, table, "arrays")


def _backends(args: argparse.Namespace) -> int:
    names = [name.strip() for name in args.backends.split(",")]
    if len(names) != 2 or args.files or not args.model:
        raise ConfigError("--backends takes two names and --model NET, no files", hint=USAGE)
    seed = 1 if args.seed is None else args.seed
    first, second = (
        Net(
            args.model,
            phase=args.phase or "TRAIN",
            level=args.level or 0,
            stages=flags.stages(args),
            device=backends.device(name, args.threads),
            seed=seed,
        )
        for name in names
    )
    if args.weights:
        for name in load(first, args.weights):
            log.warning(f"layer {name} is not in {args.weights}: its fillers give its weights")
    tolerance = backends.TOLERANCE if args.tolerance is None else args.tolerance
    rows = list(backends.compare(first, second, seed))
    return _verdict(args, rows, tolerance, report.backends_table(rows, terminal.width()), "blobs")


def _verdict(
    args: argparse.Namespace, rows: Sequence[report.Compared], tolerance: float, table: str, what: str
) -> int:
    bad = report.beyond(rows, tolerance)
    if args.json:
        _print_json(args, not bad, bad[:1], rows, tolerance=tolerance)
    else:
        if table:
            terminal.show(table)
        terminal.say(report.summary(rows, tolerance, what))
    return int(bool(bad))


def _print_json(
    args: argparse.Namespace, equal: bool, first: Sequence, rows: Sequence, **more: float
) -> None:
    compared = args.backends.split(",") if args.backends else args.files
    found = report.plain(first)
    content = {"compared": compared, "equal": equal, **more, "first": found[0] if found else None}
    terminal.show(json.dumps({**content, "rows": report.plain(rows)}, indent=2))
