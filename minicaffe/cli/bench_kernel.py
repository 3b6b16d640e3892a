"""minicaffe bench kernel: every algorithm that can do a layer's work, kernel by kernel."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from .. import log, zoo
from ..bench import algorithms, kernel_report, own, picture, recorded, roof
from ..errors import ConfigError, DataError, suggest
from ..layers import LAYERS, resolve
from ..net import Net
from ..proto import text
from ..proto.schema import TEST, TRAIN, LayerParameter
from . import bench_net, flags, output, terminal

USAGE = (
    "minicaffe bench kernel NET --layer NAME, or minicaffe bench kernel Convolution --shape x=32,64,56,56"
    " --param 'convolution_param { num_output: 64 kernel_size: 3 }'"
)


def parser() -> flags.Parser:
    p = flags.Parser(
        "bench kernel",
        "Time every algorithm that can do what a layer's kernels do, forward and backward: what nets run,"
        " other accuracies, the plain loops, NumPy over its BLAS, and kernels of your own.  Each is held to"
        " float64.",
    )
    p.add_argument("what", metavar="NET|TYPE", help="a net, whose --layer is timed, or the type of a layer")
    p.flag("layer", metavar="NAME", help="the layer of the net")
    p.flag(
        "param",
        type=flags.utf8,
        default="",
        metavar="TEXT",
        help="fields of a layer that is given by its type",
    )
    p.flag(
        "with",
        dest="own",
        action="append",
        default=[],
        metavar="FILE.py:KERNEL",
        help="a function of your own that takes what the kernel takes: arrays, flat, and its geometry; may be"
        " repeated; FILE.py:FUNCTION=KERNEL if it has another name",
    )
    p.flag("kernel", action="append", default=[], metavar="NAME", help="these kernels alone; may be repeated")
    p.flag("phase", choices=("TRAIN", "TEST"), help="TEST for forward alone (default TRAIN)")
    p.flag("batch", type=flags.at_least(1), metavar="N", help="items in a batch of the net")
    p.flag("turns", type=flags.at_least(1), default=10, metavar="N", help="of each algorithm (default 10)")
    p.flag("block", type=flags.positive, default=0.1, metavar="S", help="seconds of a turn (default 0.1)")
    p.flag("json", metavar="FILE", help="write all of it for programs")
    p.flag("roofline", metavar="FILE", help="draw rates over the machine's limits, .png or .svg (extra plot)")
    flags.add_shapes(
        p, "shape of a bottom, in their order, or of a net's data that is not here; may be repeated"
    )
    flags.add_state(p)
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    flags.add_device(p)
    flags.add_strict(p)
    flags.add_log(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    args.log = args.log or "compact"
    if args.json:
        output.check(args.json)
    if args.roofline:
        picture.check(args.roofline)
        output.check(args.roofline)
    mine = [own.load(word) for word in args.own]
    with terminal.report_alone():
        param, shapes, tops = _of_type(args) if args.what in LAYERS else _of_net(args)
        phase = TEST if args.phase == "TEST" else TRAIN
        device = flags.device(args)
        calls = recorded.calls(param, shapes, tops, flags.device(args), phase)
        specs = {call.spec.name: call.spec for call in calls}
        for name in args.kernel:
            if name not in specs:
                hint = suggest(name, specs) or f"its kernels: {', '.join(specs)}"
                raise ConfigError(f"--kernel {name}: the layer calls no such kernel", hint=hint)
        for one in mine:
            own.check(one, specs)
        log.info("Measuring what the machine can do")
        top = roof.measure(device)
        found = []
        for call in calls:
            if not args.kernel or call.spec.name in args.kernel:
                log.info(f"Timing {call.spec.name}")
                choices = algorithms.algorithms(call, device, mine)
                found.append(algorithms.contest(call, choices, args.turns, args.block))
    what = f"{param.type} {' '.join('x'.join(map(str, shape)) for shape in shapes)}"
    if args.json:
        content = json.dumps(kernel_report.as_json(found, device, top, what), indent=1)
        output.write({args.json: f"{content}\n".encode()})
    if args.roofline:
        output.write({args.roofline: picture.draw(picture.of_kernels(found), top, args.roofline, what)})
    machine = device.describe()
    terminal.say(f"{what}; {machine.get('GPU') or machine.get('Processor', '')}")
    terminal.say("")
    terminal.show(kernel_report.as_text(found, top, terminal.width()))
    return 0


Alone = tuple[LayerParameter, Sequence[Sequence[int]], int]  # a layer, shapes of its bottoms, how many tops


def _of_type(args: argparse.Namespace) -> Alone:
    """A layer that is given by its type."""
    terminal.start_log(args.log)
    if args.layer:
        raise ConfigError(f"--layer is of a net, and {args.what} is a type", hint=USAGE)
    given = flags.shapes(args)
    if not given:
        raise ConfigError(f"{args.what}: no shape of a bottom", hint=USAGE)
    param = text.parse(args.param, LayerParameter, "--param")
    param.name, param.type = args.what, args.what
    tops = resolve(args.what).tops
    return param, list(given.values()), tops if isinstance(tops, int) else tops[0]


def _of_net(args: argparse.Namespace) -> Alone:
    """A layer of a net, and the shapes that it has there."""
    try:
        zoo.find(args.what, "net")
    except DataError:
        hint = suggest(args.what, LAYERS) or USAGE
        raise ConfigError(f"{args.what}: neither a net nor the type of a layer", hint=hint) from None
    if args.param:
        raise ConfigError("--param is for a layer that is given by its type", hint=USAGE)
    made = bench_net.subject_of(args)
    net = Net(made.param, allocate=False, forward_only=not made.trains)
    names = [layer.name for layer in net.layers]
    if args.layer not in names:
        what = f"--layer {args.layer}: the net has no such layer" if args.layer else "no --layer is named"
        raise ConfigError(what, hint=suggest(args.layer or "", names))
    i = names.index(args.layer)
    param = LayerParameter()
    param.CopyFrom(net.layers[i].param)
    for field in ("include", "exclude", "propagate_down"):
        param.ClearField(field)
    return param, [blob.shape for blob in net.bottoms[i]], len(net.tops[i])
