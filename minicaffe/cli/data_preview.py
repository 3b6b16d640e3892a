"""minicaffe data preview: what a net will see of its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..checking.preview import SEED, Seen, preview
from ..drawing.boxes import outlined
from ..drawing.picture import write
from ..drawing.sheet import sheet
from ..errors import ConfigError
from ..printable import printable
from . import flags, terminal

MOST_NAMES = 4  # of objects, beside an image


def parser() -> flags.Parser:
    p = flags.Parser(
        "data preview",
        "Show what a net will see: its first images, each as it is stored, and beside that as it comes in one"
        " epoch after the other: resized, changed at random, cropped and mirrored.  Mean and scale are"
        " undone.  Of images with boxes these are drawn.",
    )
    p.add_argument("net", metavar="NET", help="a net or solver prototxt, or one of the package")
    p.add_argument("-o", "--output", metavar="FILE", help="the picture, a .png")
    p.flag("count", type=flags.at_least(1), default=8, metavar="N", help="images (default 8)")
    p.flag("samples", type=flags.at_least(1), default=8, metavar="N", help="epochs of each (default 8)")
    p.flag(
        "seed",
        type=flags.at_least(0),
        metavar="N",
        help=f"of the run (default: the solver's random_seed, or {SEED})",
    )
    p.flag("phase", choices=("TRAIN", "TEST"), default="TRAIN", help="the net's phase (default TRAIN)")
    p.flag("layer", type=flags.utf8, default="", metavar="NAME", help="of several that read images this one")
    flags.add_state(p)
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.output or Path(args.output).suffix.lower() != ".png":
        said = f"cannot draw {args.output}" if args.output else "-o is missing: where the picture goes"
        raise ConfigError(said, hint="-o preview.png")
    with terminal.report_alone():
        seen = preview(
            flags.named(args.net, "solver"),
            images=args.count,
            samples=args.samples,
            phase=args.phase,
            seed=args.seed,
            layer=args.layer,
            level=args.level,
            stages=flags.stages(args),
            source=args.source,
        )
    rows = [(_words(image), _pictures(image)) for image in seen]
    heads = ["stored", *(f"epoch {k + 1}" for k in range(args.samples))]
    write(args.output, sheet(rows, heads))
    terminal.say(f"Wrote {args.output}")
    return 0


def _words(image: Seen) -> str:
    if image.boxes:
        few = ", ".join(image.names[:MOST_NAMES]) + (", ..." if len(image.names) > MOST_NAMES else "")
        return printable(few) or "no objects"
    return "" if image.label is None else f"label {image.label}"


def _pictures(image: Seen) -> list[np.ndarray]:
    shown = [image.original, *image.samples]
    if not image.boxes:
        return shown
    return [outlined(picture, boxes.corners, boxes.labels) for picture, boxes in zip(shown, image.boxes)]
