"""minicaffe bench net: whole steps of a net beside other frameworks, and every layer by itself."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from .. import log, zoo
from ..bench import contest, picture, report, roof, subject
from ..bench.contest import KINDS, Effort
from ..convert.deploy import trains
from ..device.base import MATH, Device
from ..errors import ConfigError, suggest
from ..proto import upgrade
from . import flags, output, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "bench net",
        "Time whole steps of a net, on random data held in memory, beside other frameworks that run the same"
        " net with the same weights, data and number of threads: contenders take turns.  Then every layer by"
        " itself.  A step is forward, backward and update, or with --phase TEST a pass through the net as it"
        " is deployed.",
    )
    p.add_argument("what", metavar="NET", help="the net prototxt, or a net of the package")
    p.flag(
        "phase",
        choices=("TRAIN", "TEST"),
        help="TRAIN for training, TEST for inference (default: training if the net has data or losses)",
    )
    p.flag(
        "batch",
        type=flags.at_least(1),
        metavar="N",
        help="items in a batch (default the net's; of inference 1)",
    )
    p.flag("type", choices=("SGD", "Adam"), default="SGD", help="of the solver that updates (default SGD)")
    p.flag(
        "beside",
        metavar="A,B",
        help=f"the others: of {', '.join(KINDS)}; a folder with another checkout of minicaffe; a .py file"
        " with a contender of your own; none (default: the usual ones that are installed)",
    )
    p.flag(
        "python",
        action="append",
        default=[],
        metavar="PYTHON",
        help="an interpreter that has what this one lacks; may be repeated",
    )
    p.flag("turns", type=flags.at_least(1), default=10, metavar="N", help="of each contender (default 10)")
    p.flag(
        "passes",
        type=flags.at_least(0),
        default=10,
        metavar="N",
        help="for times of layers (default 10); 0 leaves them out",
    )
    p.flag("maths", metavar="A,B", help=f"of {', '.join(MATH)}: ours once with each, in place of --math")
    p.flag("block", type=flags.positive, default=0.5, metavar="S", help="seconds of a turn (default 0.5)")
    p.flag(
        "rest", type=flags.not_negative, default=0.4, metavar="S", help="seconds between turns (default 0.4)"
    )
    p.flag(
        "layer", action="append", default=[], metavar="NAME", help="show these layers alone; may be repeated"
    )
    p.flag("sort", action="store_true", help="the slowest layers first")
    p.flag("json", metavar="FILE", help="write all of it for programs")
    p.flag("roofline", metavar="FILE", help="draw the layers under the roof, .png or .svg (extra plot)")
    flags.add_shapes(p)
    flags.add_state(p)
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    flags.add_device(p)
    flags.add_strict(p)
    flags.add_log(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    args.log = args.log or "compact"  # Caffe has no such command, and no lines for it
    if args.json:
        output.check(args.json)
    if args.roofline:
        picture.check(args.roofline)
        output.check(args.roofline)
    with terminal.report_alone():
        made = subject_of(args)
        made.type = args.type
        names = {layer.name for layer in made.param.layer}
        for name in args.layer:
            if name not in names:
                raise ConfigError(f"--layer {name}: the net has no such layer", hint=suggest(name, names))
        wanted = None if args.beside is None else [w for w in args.beside.split(",") if w and w != "none"]
        rivals, missing = contest.rivals(wanted, args.python, made)
        devices = _devices(args)
        first = next(iter(devices.values()))
        threads = roof.threads_of(first)
        effort = Effort(args.turns, args.block, args.rest, args.passes)
        log.info("Measuring what the machine can do")
        top = roof.measure(first)
        with tempfile.TemporaryDirectory() as folder:
            outcome = contest.hold(made, devices, rivals, Path(folder), effort, threads, log.info)
    outcome.notes += missing
    if args.json:
        content = json.dumps(report.as_json(made, outcome, top), indent=1)
        output.write({args.json: f"{content}\n".encode()})
    title = _title(made, outcome, threads, args)
    if args.roofline:
        drawn = picture.draw(picture.of_net(outcome), top, args.roofline, title)
        output.write({args.roofline: drawn})
    terminal.say(title)
    terminal.say("")
    if args.passes:
        terminal.show(report.by_layer(outcome, top, names=args.layer, width=terminal.width(), sort=args.sort))
        terminal.show("")
    terminal.show(report.whole(outcome, terminal.width()))
    return 0


def subject_of(args: argparse.Namespace) -> subject.Subject:
    """The net that `what` names, in the phase that it is for if none is named; the log starts here."""
    phase = args.phase or ("TRAIN" if trains(upgrade.read_net(zoo.find(args.what, "net"))) else "TEST")
    path, param = flags.described(args.what, args, phase)
    given = flags.shapes(args)
    if phase == "TRAIN":
        return subject.training(param, path, given, args.batch)
    return subject.inference(param, given, args.batch or 1)


def _devices(args: argparse.Namespace) -> dict[str, Device]:
    """By the names of our contenders."""
    device = flags.device(args)
    if not args.maths:
        return {"minicaffe": device}
    known = {name.lower(): name for name in MATH}
    for word in args.maths.split(","):
        if word.lower() not in known:
            raise ConfigError(f"--maths {word}: not of {', '.join(MATH)}", hint=suggest(word, MATH))
    return {f"minicaffe {word}": device.with_math(known[word.lower()]) for word in args.maths.split(",")}


def _title(made: subject.Subject, outcome: contest.Outcome, threads: int, args: argparse.Namespace) -> str:
    net = outcome.net
    shapes = ", ".join("x".join(map(str, net.blobs[name].shape)) for name in net.inputs)
    what = f"training with {args.type}" if made.trains else "inference"
    where = net.device.describe()
    machine = where.get("GPU") or f"{threads} threads, {where.get('Processor', '')}"
    return f"{net.name or args.what}: {what}, {shapes}; {machine}; {args.turns} turn{'s' * (args.turns > 1)}"
