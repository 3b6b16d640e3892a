"""minicaffe show: filters, weights and activations of a net as pictures."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from .. import log
from ..checking.table import aligned, short, spelled
from ..convert import formats
from ..device.cpu import CpuDevice
from ..errors import ConfigError
from ..inference.files import STDIN
from ..inference.show import Activations, Inside
from ..inference.viewer import INVERT
from ..runs.home import Home
from . import flags, output, terminal

USAGE = "minicaffe show NET WEIGHTS LAYER, or WEIGHTS LAYER, or NET LAYER"


def parser() -> flags.Parser:
    p = flags.Parser(
        "show",
        "Draw what is inside a net: the filters or weights of a layer, or what it makes of an image.  Without"
        " LAYER the layers are listed.",
    )
    p.usage = (
        "minicaffe show [NET] [WEIGHTS] [LAYER] [-o FILE.png]\n"
        "                      [--image FILE] [--histogram]"
    )
    p.add_argument(
        "words",
        nargs="*",
        metavar="FILE, LAYER",
        help="a net prototxt, weights, both, or a run; then the name of a layer",
    )
    p.add_argument("-o", "--output", metavar="FILE", help="the picture, a .png (default: LAYER.png)")
    p.flag("image", metavar="FILE", help="show what the layer makes of this image; - reads stdin")
    p.flag(
        "histogram", action="store_true", help="how often which values occur: of weights, or of activations"
    )
    p.flag("invert", choices=INVERT, help="--image: exchange light and dark; see classify (default auto)")
    flags.add_shapes(p, "--image: shape of an input that the net does not tell")
    flags.add_largest(p)
    flags.add_threads(p)
    return p


class ShowArguments(NamedTuple):
    """What the words of the command line name."""

    net: str | None
    weights: str | None
    layer: str | None


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    named = _named(args.words)
    if args.image is None and (args.invert or args.shape or args.threads):
        raise ConfigError("--invert, --shape and --threads go with --image FILE")
    if named.layer is None:
        if args.image or args.histogram or args.output:
            raise ConfigError(
                "no layer is named", hint=f"{USAGE}; without --image, -o and --histogram lists them"
            )
        _list(Inside(named.net, named.weights, args.largest_file))
        return 0
    target = args.output or _file_of(named.layer, args)
    if not target.lower().endswith(".png"):
        raise ConfigError(f"cannot draw {target}", hint="the name must end in .png")
    if named.weights is None:
        terminal.complain("no weights are named: those are shown that the fillers give")
    output.write({target: _picture(named, named.layer, args)})
    terminal.say(f"Wrote {target}")
    return 0


def _named(words: list[str]) -> ShowArguments:
    rest = list(words)
    if not rest:
        raise ConfigError("no file is named", hint=USAGE)
    net = rest.pop(0) if formats.format_of(rest[0]) == formats.TEXT else None
    weights = rest.pop(0) if rest and _are_weights(rest[0]) else None
    if weights is None and net is not None and _are_weights(net):  # a run, which has both
        weights = net
    layer = rest.pop(0) if rest else None
    if rest:
        raise ConfigError(f"surplus argument {rest[0]!r}", hint=USAGE)
    return ShowArguments(
        flags.named(net) if net else None, flags.weights(weights) if weights else None, layer
    )


def _are_weights(word: str) -> bool:
    return formats.format_of(word) != formats.TEXT or Home(word).exists


def _picture(named: ShowArguments, layer: str, args: argparse.Namespace) -> bytes:
    if args.image is None:
        inside = Inside(named.net, named.weights, args.largest_file)
        return inside.histogram_of(layer) if args.histogram else inside.weights_of(layer)
    if named.net is None:
        raise ConfigError("--image needs the net", hint="minicaffe show NET WEIGHTS LAYER --image FILE")
    shapes, invert = flags.shapes(args), args.invert or INVERT[0]
    device = CpuDevice(threads=args.threads)
    made = Activations(named.net, named.weights, args.image, shapes=shapes, invert=invert, device=device)
    return made.histogram(layer) if args.histogram else made.picture(layer)


def _file_of(layer: str, args: argparse.Namespace) -> str:
    """The picture's name, in the folder where one is."""
    words = [layer]
    if args.image is not None:
        words.append("stdin" if args.image == STDIN else Path(args.image).stem)
    if args.histogram:
        words.append("histogram")
    return re.sub(r"[^\w.-]+", "_", "_".join(words)).lstrip(".-") + ".png"


def _list(inside: Inside) -> None:
    rows = []
    for part in inside.parts.values():
        params = spelled([p.shape for p in part.params]) if part.params else ""
        count = short(sum(p.size for p in part.params)) if part.params else ""
        rows.append((part.name, part.type, params, count, spelled([part.top]) if part.top else ""))
    head = ("layer", "type", "weights", "values", "makes")
    if not rows:
        raise ConfigError(f"{inside.origin}: no layer has weights")
    terminal.show(aligned(head, rows, "<<<><", width=terminal.width(), leaving=["values", "makes"]))
