"""minicaffe plot: draws the curves of runs."""

from __future__ import annotations

from ..errors import ConfigError
from ..runs import curve_files
from ..runs.plot import draw
from ..runs.plot_labels import said
from ..runs.plot_series import panels
from ..runs.plot_theme import THEMES
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "plot",
        "Draw loss, test outputs and learning rate of runs into one picture.  A LOG is a log of minicaffe or"
        " Caffe, a metrics.jsonl, or the folder of a --run.",
    )
    p.add_argument("logs", nargs="*", metavar="LOG", help="what trainings left; each gets a colour")
    p.add_argument("-o", "--output", metavar="FILE", help="the picture: .png or .svg")
    p.flag("title", default="", metavar="TEXT", help="above the picture")
    p.flag("x", choices=("iteration", "seconds"), default="iteration", help="along which (default iteration)")
    p.flag("log", action="store_true", help="a logarithmic axis for losses")
    p.flag(
        "smooth",
        type=flags.at_least(1),
        default=1,
        metavar="N",
        help="mean over N displays for training (default 1)",
    )
    p.flag(
        "theme", choices=tuple(THEMES), default="light", help="on paper, or on a dark page (default light)"
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.logs:
        raise ConfigError("name one log at least", hint="minicaffe plot train.log -o curves.png")
    if not args.output:
        raise ConfigError("-o is missing: where the picture goes", hint="-o curves.png")
    curves = curve_files.read_all(args.logs)
    draw(curves, args.output, title=args.title, x=args.x, log=args.log, smooth=args.smooth, theme=args.theme)
    shown = panels(curves, args.x)
    for i, one in enumerate(curves):
        tests = sum(len(rows) for rows in one.tests.values())
        ends = filter(None, (said(panel, i) for panel in shown))
        terminal.say("; ".join([f"{one.name}: {len(one.train)} displays, {tests} tests", *ends]))
    terminal.say(f"Wrote {args.output}")
    return 0
