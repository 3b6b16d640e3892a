"""minicaffe gradcheck: compares the gradients of a net with finite differences, layer by layer."""

from __future__ import annotations

import argparse
import json

import numpy as np

from ..checking.difference import FAIL, KINK, TOLERANCE
from ..checking.gradcheck import COORDINATES, DIRECTIONS, NOT_CHECKED, GradientVerdict, fill_inputs, gradcheck
from ..checking.table import aligned
from ..device.cpu import CpuDevice
from ..errors import ConfigError
from ..net import Net
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "gradcheck",
        "Compare backward with central differences of forward, for every layer of a net, on one batch of its"
        f" own data and in float64; exit status 1 if any differs by more than {TOLERANCE:g}.",
    )
    p.add_argument("net", nargs="?", metavar="NET", help="the net prototxt, or a net of the package")
    p.flag("layer", action="append", default=[], metavar="NAME", help="this layer only; may be repeated")
    p.flag("phase", choices=("TRAIN", "TEST"), default="TRAIN", help="phase of the net (default TRAIN)")
    flags.add_state(p)
    p.flag(
        "seed",
        type=flags.at_least(0),
        default=1,
        metavar="N",
        help="of weights, data and directions (default 1)",
    )
    p.flag("weights", metavar="FILE", help="a .caffemodel to check the gradients at")
    p.flag("directions", type=int, default=DIRECTIONS, metavar="N", help=f"per blob (default {DIRECTIONS})")
    p.flag("elements", type=int, default=COORDINATES, metavar="N", help=f"per blob (default {COORDINATES})")
    flags.add_threads(p)
    p.flag("json", action="store_true", help="for programs")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.net:
        raise ConfigError("name a net prototxt", hint="minicaffe gradcheck net.prototxt")
    for name in ("directions", "elements"):
        if getattr(args, name) < 0 or not args.directions + args.elements:
            raise ConfigError(f"--{name} is {getattr(args, name)}: nothing would be checked")
    with terminal.report_alone():
        rows = _rows(args)
    failed = sum(row.verdict == FAIL for row in rows)
    if args.json:
        terminal.show(
            json.dumps({"net": args.net, "failed": failed, "rows": [_plain(row) for row in rows]}, indent=2)
        )
    else:
        head = ["layer", "type", "blob", "checked", "error", "verdict"]
        cells, leaving = map(_cells, rows), ("checked", "type")
        terminal.show(aligned(head, cells, "<<<>><", width=terminal.width(), leaving=leaving))
        terminal.say(_summary(rows))
    return int(failed > 0)


def _rows(args: argparse.Namespace) -> list[GradientVerdict]:
    net = Net(
        flags.named(args.net),
        phase=args.phase,
        level=args.level,
        stages=flags.stages(args),
        device=CpuDevice(np.float64, threads=args.threads),
        seed=args.seed,
    )
    if args.weights:
        net.load(args.weights, must_match=True)
    fill_inputs(net, args.seed)
    return gradcheck(net, args.layer, directions=args.directions, coordinates=args.elements, seed=args.seed)


def _plain(row: GradientVerdict) -> dict:
    """JSON has no NaN and no infinity: such a number is null."""
    odd = {k: None for k, v in row._asdict().items() if isinstance(v, float) and not np.isfinite(v)}
    return {**row._asdict(), **odd}


def _cells(row: GradientVerdict) -> list[str]:
    error = "" if row.error is None else f"{row.error:.1e}"
    notes = [row.note] if row.note else []
    if row.element is not None:
        notes.append(f"at {row.element} it is {row.analytic:.6g}, differences give {row.numeric:.6g}")
    verdict = f"{row.verdict}: {'; '.join(notes)}" if notes else row.verdict
    return [row.layer, row.type, row.blob, str(row.checked or ""), error, verdict]


def _summary(rows: list[GradientVerdict]) -> str:
    counts = {v: sum(row.verdict == v for row in rows) for v in ("ok", KINK, FAIL, NOT_CHECKED)}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
