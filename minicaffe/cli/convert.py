"""minicaffe convert: nets, solvers, weights and solver states in today's schema and in other formats."""

from __future__ import annotations

import argparse
import logging

from .. import log
from ..checking.table import size
from ..convert import formats
from ..convert.doubts import doubts
from ..convert.fold import fold
from ..convert.model import through_net
from ..errors import ConfigError, locate
from ..proto import extensions, upgrade
from ..proto.schema import Message
from . import flags, output, terminal

STDOUT = "-"


def parser() -> flags.Parser:
    p = flags.Parser(
        "convert",
        "Rewrite a net or solver in the current schema, weights or a solver state in another format, as the"
        f" name of the file says: prototxt, or {', '.join(formats.SUFFIXES)}.",
    )
    p.usage = (
        "minicaffe convert IN OUT [--strip]\n"
        "       minicaffe convert WEIGHTS OUT --model NET [--reshape]\n"
        "                         [--level N] [--stage A,B]\n"
        "       minicaffe convert NET WEIGHTS OUT_NET OUT_WEIGHTS --fold\n"
        "                         [--shape data=1,3,224,224]... [--strip]\n"
        "       minicaffe convert NET WEIGHTS OUT.onnx [--shape data=1,3,224,224]...\n"
        "                         [--free_batch] [--level N] [--stage A,B]"
    )
    p.add_argument(
        "files", nargs="*", metavar="FILE", help="to read, then to write; write - to print a net or solver"
    )
    p.flag("strip", action="store_true", help="remove our extensions, so that Caffe reads it; says what went")
    p.flag("model", metavar="NET", help="write the weights as this net has them, all checked against it")
    p.flag(
        "reshape",
        action="store_true",
        help="--model: parameters of as many values as the net's take its shapes; says which",
    )
    p.flag("fold", action="store_true", help="fold BatchNorm, Scale and Bias into the layers before them")
    flags.add_shapes(p, "--fold, ONNX: shape of an input; may be repeated")
    p.flag("free_batch", action="store_true", help="ONNX: the batch may have any extent")
    p.flag("level", type=int, metavar="N", help="--model, ONNX: level of the net's state (default 0)")
    p.flag(
        "stage", type=flags.utf8, default="", metavar="A,B", help="--model, ONNX: stages of the net's state"
    )
    flags.add_largest(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=logging.WARNING)
    to_onnx = len(args.files) == 3 and formats.format_of(args.files[2]) == formats.ONNX
    for name in ("strip", "model", "reshape", "fold") if to_onnx else ("free_batch",):
        if getattr(args, name):
            raise ConfigError(f"--{name} goes with{'out' if to_onnx else ''} NET WEIGHTS OUT.onnx")
    if args.shape and not (to_onnx or args.fold):
        raise ConfigError("--shape goes with --fold or NET WEIGHTS OUT.onnx")
    if args.reshape and not args.model:
        raise ConfigError("--reshape goes with --model NET, which says the shapes")
    if (args.level is not None or args.stage) and not (to_onnx or args.model):
        raise ConfigError("--level and --stage go with --model NET or NET WEIGHTS OUT.onnx")
    if args.fold:
        _fold(args)
    elif to_onnx:
        _export(args)
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
    if args.strip:
        for line in extensions.strip(message):
            terminal.complain(f"{source}: {line}")


def _write(contents: dict[str, tuple[Message, bytes]]) -> None:
    """Write all the files or none and say what they hold, or write what goes to the terminal, alone."""
    output.write({path: content for path, (_, content) in contents.items() if path != STDOUT})
    if STDOUT in contents:
        terminal.put_file(contents[STDOUT][1])
        return
    for path, (message, content) in contents.items():
        terminal.say(f"wrote {path}: {formats.described(message, path)}, {size(len(content))}")
