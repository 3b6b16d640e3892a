"""minicaffe segment: says what every pixel of images shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import log
from ..checking.table import aligned
from ..errors import ConfigError
from ..inference import palette
from ..inference.segmenter import Segmentation, Segmenter
from . import flags, looking, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "segment",
        "Say what every pixel of images shows, by a net with its weights that makes a map of scores: SegNet,"
        " ENet, FCN, PSPNet, ...",
    )
    looking.add_images(p)
    p.flag(
        "labels",
        metavar="FILE",
        help="names of the classes, one a line, or a label map (default: those that the data has, or"
        " labels.txt beside it, WEIGHTS or NET)",
    )
    p.flag(
        "output",
        metavar="FOLDER",
        help="write the classes of every image into this folder, as a .png whose values are their numbers",
    )
    p.flag(
        "palette",
        default=palette.VOC,
        metavar="FILE|voc",
        help="colours of the classes in that: those of Pascal VOC (default), or a line for each class,"
        " 128 0 0 or #800000",
    )
    p.flag(
        "overlay",
        action="store_true",
        help="--output: also the image, each pixel half in the colour of its class, as NAME_overlay.png",
    )
    p.flag("json", action="store_true", help="print one JSON object in the place of a table")
    p.flag("blob", metavar="NAME", help="the output with the scores, if the net has several")
    looking.add_values(p)
    flags.add_shapes(p, "shape of an input, if the net is to see images larger or smaller than it tells")
    flags.add_device(p)
    p.epilog = looking.epilog("looked at")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    found = looking.images(args, "segment")
    if args.overlay and not args.output:
        raise ConfigError("--overlay goes with --output FOLDER")
    pictures = looking.Pictures(args.output, found.names) if args.output else None
    segmenter = Segmenter(
        flags.named(args.net),
        flags.weights(args.weights),
        blob=args.blob,
        labels=args.labels,
        colours=args.palette,
        **looking.values(args),
    )
    results: list[Segmentation] = []
    for result in segmenter.segmentations(found.names):
        if pictures is not None and not result.error:
            made = {"": segmenter.picture(result)}
            pictures.write(
                result.name, made | {"_overlay": segmenter.overlay(result)} if args.overlay else made
            )
        result.pixels = result.classes = None  # of many large images not all are held
        results.append(result)
    return looking.report(
        args,
        results,
        found.left_out,
        table=lambda good: _table(good, segmenter.labels),
        about={"blob": segmenter.blob},
        entry=lambda result: _entry(result, segmenter.labels),
    )


def _shares(result: Segmentation) -> list[tuple[int, int, float]]:
    """Number, pixels and share of the classes that an image has, the largest first."""
    total = sum(result.counts)
    order = sorted(range(len(result.counts)), key=lambda number: -result.counts[number])
    return [(i, result.counts[i], result.counts[i] / total) for i in order if result.counts[i]]


def _table(results: Sequence[Segmentation], labels: Sequence[str]) -> str:
    rows = [
        (looking.shown(result), labels[number], str(number), f"{pixels:,}", f"{share:.1%}")
        for result in results
        for number, pixels, share in _shares(result)
    ]
    head = ("image", "class", "number", "pixels", "share")
    return aligned(head, rows, "<<>>>", width=terminal.width(), leaving=["pixels", "number"])


def _entry(result: Segmentation, labels: Sequence[str]) -> dict[str, Any]:
    """What JSON says of an image."""
    return {
        "classes": [
            {"number": i, "label": labels[i], "pixels": pixels, "share": round(share, 6)}
            for i, pixels, share in _shares(result)
        ]
    }
