"""minicaffe check: judges nets and solvers before they run."""

from __future__ import annotations

import json

from ..checking.check import check
from ..checking.report import as_json, as_text
from ..errors import ConfigError
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "check",
        "Say of each prototxt, net or solver, what its layers cost and what is wrong with it, without running"
        " it: errors and data that is not here (exit status 1), warnings, and advice.",
    )
    p.add_argument(
        "nets",
        nargs="*",
        metavar="NET",
        help="net or solver prototxts, or nets of the package; all are checked",
    )
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    flags.add_shapes(p)
    p.flag("allow_missing_data", action="store_true", help="data that is not here is no reason for status 1")
    p.flag("cpu", action="store_true", help="judge solvers as train --cpu runs them")
    p.flag("json", action="store_true", help="for programs")
    p.flag("strict", action="store_true", help="extensions that Caffe does not read are errors")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.nets:
        raise ConfigError("name one prototxt at least", hint="minicaffe check train_test.prototxt")
    with terminal.report_alone():
        reports = [
            check(
                flags.named(path, "solver"),
                strict=args.strict,
                source=args.source,
                shapes=flags.shapes(args),
                allow_missing_data=args.allow_missing_data,
                cpu=args.cpu,
            )
            for path in args.nets
        ]
    terminal.show(
        json.dumps(as_json(reports), indent=2) if args.json else as_text(reports, width=terminal.width())
    )
    return int(not all(report.ok for report in reports))
