"""minicaffe detect: says what images show, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import log
from ..checking.table import aligned
from ..inference.boxes import drawn
from ..inference.detector import Detector, Sight
from ..inference.heads import SIDES_PX
from . import flags, looking, terminal

THRESHOLD = 0.5
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def parser() -> flags.Parser:
    p = flags.Parser(
        "detect",
        "Say what images show, and where, by a net with its weights: one that ends in a DetectionOutput"
        " (SSD), or one of YOLO, Faster R-CNN or R-FCN.  Boxes are in pixels of the image.",
    )
    looking.add_images(p)
    p.flag(
        "labels",
        metavar="FILE",
        help="names of the classes, one a line, the background's or not, or an SSD's label map (default:"
        " those that the data has, or labels.txt beside it, WEIGHTS or NET)",
    )
    p.flag(
        "threshold",
        type=flags.not_negative,
        default=THRESHOLD,
        metavar="X",
        help=f"the least score of what is named (default {THRESHOLD})",
    )
    p.flag("output", metavar="FOLDER", help="write every image with its boxes into this folder, as .png")
    p.flag("json", action="store_true", help="print one JSON object in the place of a table")
    how = looking.add_values(p)
    p.flag(
        "sides",
        type=looking.size,
        default=SIDES_PX,
        metavar="SHORT,LONG",
        group=how,
        help="R-CNN: what the shorter side of images becomes, and the most that the longer may (default"
        f" {SIDES_PX[0]},{SIDES_PX[1]})",
    )
    flags.add_shapes(p, "shape of an input that the net does not tell")
    flags.add_device(p)
    p.epilog = looking.epilog("looked at")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    found = looking.images(args, "detect")
    pictures = looking.Pictures(args.output, found.names) if args.output else None
    detector = Detector(
        flags.named(args.net),
        flags.weights(args.weights),
        labels=args.labels,
        threshold=args.threshold,
        sides_px=args.sides,
        **looking.values(args),
    )
    sights: list[Sight] = []
    for sight in detector.sights(found.names):
        if pictures is not None and sight.pixels is not None:
            pictures.write(sight.name, {"": drawn(sight.pixels, sight.things)})
        sight.pixels = None  # of many large images not all are held
        sights.append(sight)
    about = {"threshold": args.threshold}
    return looking.report(args, sights, found.left_out, table=_table, about=about, entry=_entry)


def _table(sights: Sequence[Sight]) -> str:
    """A row for each thing, and one for an image without any."""
    rows: list[tuple[str, ...]] = []
    for sight in sights:
        name = looking.shown(sight)
        for thing in sight.things:
            box = (f"{end:.0f}" for end in thing.box)
            rows.append((name, thing.label, f"{thing.score:.4f}", *box))
        if not sight.things:
            rows.append((name, "-", "", "", "", "", ""))
    return aligned(("image", "label", "score", *CORNERS), rows, "<<>>>>>", width=terminal.width())


def _entry(sight: Sight) -> dict[str, Any]:
    """What JSON says of an image."""
    return {
        "things": [
            {
                "number": thing.number,
                "label": thing.label,
                "score": thing.score,
                "box": dict(zip(CORNERS, (round(end, 2) for end in thing.box))),
            }
            for thing in sight.things
        ]
    }
