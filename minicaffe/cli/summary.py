"""minicaffe summary: the layers of a net and what they cost."""

from __future__ import annotations

import json

from ..checking.summary import as_json, as_text, summarize
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "summary",
        "List the layers of a net: type, shapes of the tops, parameters, multiply-adds of a forward pass; and"
        " the memory that it takes.  NET is a net or solver prototxt, or a file of weights.  Nothing runs and"
        " nothing is allocated.",
    )
    p.add_argument(
        "net", metavar="NET", help="a .prototxt, .caffemodel or .caffemodel.h5, or a net of the package"
    )
    p.flag("phase", choices=("TRAIN", "TEST"), help="the net's phase (default: the first that has data)")
    flags.add_state(p)
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    flags.add_shapes(p)
    p.flag(
        "program", action="store_true", help="the steps that are run, what was fused and what not, and why"
    )
    p.flag("json", action="store_true", help="for programs")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    stages = flags.stages(args)
    with terminal.report_alone():
        summary = summarize(
            flags.named(args.net),
            phase=args.phase,
            level=args.level,
            stages=stages,
            source=args.source,
            shapes=flags.shapes(args),
        )
    terminal.show(
        json.dumps(as_json(summary), indent=2)
        if args.json
        else as_text(summary, width=terminal.width(), steps=args.program)
    )
    return 0
