"""minicaffe convert: nets, solvers, weights and solver states in today's schema and in other formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import log
from ..checking.table import size, spelled
from ..convert import bvlc, formats
from ..convert.deploy import WHITE, Deployment, trains
from ..convert.doubts import doubts
from ..convert.fold import fold
from ..convert.model import through_net
from ..errors import ConfigError, locate
from ..net import Net
from ..proto import extensions, upgrade
from ..proto.schema import Message, NetParameter
from . import flags, output, terminal

STDOUT = "-"


def parser() -> flags.Parser:
    p = flags.Parser(
        "convert",
        "Rewrite a net or solver in the current schema, weights or a solver state in another format, as the"
        f" name of the file says: prototxt, or {', '.join(formats.SUFFIXES)}.",
    )
    p.usage = (
        "minicaffe convert IN OUT [--to bvlc]\n"
        "       minicaffe convert NET deploy.prototxt [--shape data=1,3,224,224]...\n"
        "                         [--level N] [--stage A,B] [--to bvlc]\n"
        "       minicaffe convert WEIGHTS OUT --model NET [--reshape]\n"
        "                         [--level N] [--stage A,B]\n"
        "       minicaffe convert NET WEIGHTS OUT_NET OUT_WEIGHTS --fold\n"
        "                         [--shape data=1,3,224,224]... [--to bvlc]\n"
        "       minicaffe convert NET WEIGHTS OUT.onnx [--shape data=1,3,224,224]...\n"
        "                         [--free_batch] [--level N] [--stage A,B]"
    )
    p.add_argument(
        "files", nargs="*", metavar="FILE", help="to read, then to write; write - to print a net or solver"
    )
    p.flag(
        "to",
        choices=("bvlc",),
        help="write what Caffe itself reads: layers of forks in Caffe's where that can be, and without our"
        " extensions and what else only forks have; says what changed, and refuses what cannot be said",
    )
    p.flag("strip", action="store_true", help="the same as --to bvlc")
    p.flag("model", metavar="NET", help="write the weights as this net has them, all checked against it")
    p.flag(
        "reshape",
        action="store_true",
        help="--model: parameters of as many values as the net's take its shapes; says which",
    )
    p.boolean(
        "deploy",
        help="make of a net that trains the one that is used: data becomes inputs, losses go; the default"
        " where the name of OUT ends in deploy.prototxt; --nodeploy rewrites the net as it is",
    )
    p.set_defaults(deploy=None)
    p.flag("fold", action="store_true", help="fold BatchNorm, Scale and Bias into the layers before them")
    flags.add_shapes(p, "--deploy, --fold, ONNX: shape of an input; may be repeated")
    p.flag("free_batch", action="store_true", help="ONNX: the batch may have any extent")
    p.flag(
        "level", type=int, metavar="N", help="--deploy, --model, ONNX: level of the net's state (default 0)"
    )
    p.flag(
        "stage",
        type=flags.utf8,
        default="",
        metavar="A,B",
        help="--deploy, --model, ONNX: stages of the net's state",
    )
    flags.add_largest(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    to_onnx = len(args.files) == 3 and formats.format_of(args.files[2]) == formats.ONNX
    for name in ("to", "strip", "model", "reshape", "fold", "deploy") if to_onnx else ("free_batch",):
        if getattr(args, name):
            raise ConfigError(f"--{name} goes with{'out' if to_onnx else ''} NET WEIGHTS OUT.onnx")
    if args.deploy and (args.fold or args.model):
        raise ConfigError("--deploy goes with NET OUT.prototxt, without --fold and --model")
    deploys = not to_onnx and _deploys(args)
    if args.shape and not (to_onnx or args.fold or deploys):
        raise ConfigError("--shape goes with --deploy, --fold or NET WEIGHTS OUT.onnx")
    if args.reshape and not args.model:
        raise ConfigError("--reshape goes with --model NET, which says the shapes")
    if (args.level is not None or args.stage) and not (to_onnx or args.model or deploys):
        raise ConfigError("--level and --stage go with --deploy, --model NET or NET WEIGHTS OUT.onnx")
    if args.fold:
        _fold(args)
    elif to_onnx:
        _export(args)
    elif deploys:
        _deploy(args)
    else:
        _convert(args)
    return 0


def _convert(args: argparse.Namespace) -> None:
    source, target = _files(args, 2, "minicaffe convert IN OUT")
    if args.model is not None:
        message: Message = through_net(
            args.model,
            source,
            level=args.level or 0,
            stages=flags.stages(args),
            reshape=args.reshape,
            largest_bytes=args.largest_file,
        )
    else:
        message = formats.read(source, args.largest_file)
    _say_doubts(message, source, target)
    _strip(args, message, source)
    _write({target: (message, formats.write(message, target))})


def _deploys(args: argparse.Namespace) -> bool:
    """Whether a deploy net is to be made: asked for, or by the name of what is written, of a net that
    trains."""
    if args.deploy is not None or args.fold or args.model or len(args.files) != 2:
        return bool(args.deploy)
    source, target = args.files
    if formats.format_of(source) != formats.TEXT or not target.lower().endswith("deploy.prototxt"):
        return False
    message = formats.read(source, args.largest_file)
    return isinstance(message, NetParameter) and trains(message)


def _deploy(args: argparse.Namespace) -> None:
    source, target = _files(args, 2, "minicaffe convert train_val.prototxt deploy.prototxt")
    if formats.format_of(target) != formats.TEXT:
        raise ConfigError(f"{target}: a deploy net is a prototxt", hint="deploy.prototxt")
    message = formats.read(source, args.largest_file)
    with locate(source):
        if not isinstance(message, NetParameter):
            raise ConfigError("a solver, of which no deploy net is made", hint="give its net")
        made = Deployment(
            message,
            shapes=flags.shapes(args),
            level=args.level,
            stages=flags.stages(args),
            written=True,
        )
        net = Net(made.param, allocate=False, forward_only=True, folder=str(Path(source).parent))
    for line in made.notes:
        terminal.complain(line)
    for name in net.inputs:
        note = f"input {name} {spelled([net.blobs[name].shape])}"
        if (white := made.white(name)) != WHITE:
            note += f", of pixels from 0 to {white:g}: minicaffe classify --raw_scale {white:g}"
        terminal.complain(note)
    for name in net.outputs:
        terminal.complain(f"output {name} {spelled([net.blobs[name].shape])}")
    _strip(args, made.param, source)
    _write({target: (made.param, formats.write(made.param, target))})


def _fold(args: argparse.Namespace) -> None:
    from ..convert.fold_proof import prove

    usage = "minicaffe convert NET WEIGHTS OUT_NET OUT_WEIGHTS --fold"
    if args.model is not None:
        raise ConfigError("--model goes without --fold, which takes the net as its first file", hint=usage)
    model, weights, out_model, out_weights = _files(args, 4, usage)
    if formats.format_of(out_model) != formats.TEXT or formats.format_of(out_weights) == formats.TEXT:
        raise ConfigError(f"{out_model} and {out_weights} are not a prototxt and weights", hint=usage)
    net, stored = upgrade.read_net(model), formats.read_weights(weights, args.largest_file)
    _say_doubts(stored, weights, out_weights)
    if args.strip or args.to:  # what becomes BatchNorm and Scale folds too
        bvlc.rewrite(stored, like=net)
        for line in bvlc.rewrite(net):
            terminal.complain(f"{model}: {line}")
    with locate(weights):
        folded = fold(net, stored)
    proof = prove(net, stored, folded, flags.shapes(args))
    for line in [*folded.lines, proof]:
        terminal.complain(line)
    _strip(args, folded.net, model)
    _write(
        {
            out_weights: (folded.weights, formats.write(folded.weights, out_weights)),
            out_model: (folded.net, formats.write(folded.net, out_model)),
        }
    )


def _export(args: argparse.Namespace) -> None:
    from ..convert.onnx import export

    report = export(
        *args.files,
        shapes=flags.shapes(args),
        free_batch=args.free_batch,
        level=args.level or 0,
        stages=flags.stages(args),
    )
    for line in report.lines():
        terminal.say(line)


def _files(args: argparse.Namespace, count: int, usage: str) -> list[str]:
    if len(args.files) != count:
        raise ConfigError(f"takes {count} files; got {len(args.files)}", hint=usage)
    return args.files


def _say_doubts(message: Message, source: str, target: str) -> None:
    """Warn of what looks wrong about weights; those that go to no prototxt."""
    if formats.format_of(target) != formats.TEXT:
        with locate(source):
            for line in doubts(message):
                log.warning(f"{source}: {line}")


def _strip(args: argparse.Namespace, message: Message, source: str) -> None:
    if args.strip or args.to:
        lines = bvlc.rewrite(message) if isinstance(message, NetParameter) else []
        for line in [*lines, *extensions.strip(message)]:
            terminal.complain(f"{source}: {line}")


def _write(contents: dict[str, tuple[Message, bytes]]) -> None:
    """Write all the files or none and say what they hold, or write what goes to the terminal, alone."""
    output.write({path: content for path, (_, content) in contents.items() if path != STDOUT})
    if STDOUT in contents:
        terminal.put_file(contents[STDOUT][1])
        return
    for path, (message, content) in contents.items():
        terminal.say(f"wrote {path}: {formats.described(message, path)}, {size(len(content))}")
