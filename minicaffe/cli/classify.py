"""minicaffe classify: says what images show."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from .. import log
from ..checking.table import aligned
from ..data.making.fit import MODES
from ..inference import Answer, Classifier
from ..inference.viewer import INVERT
from . import flags, looking, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "classify",
        "Say what images show, by a net with its weights.  NET is a deploy net, or one that trains, of which"
        " a deploy net is made in memory; what its transform_param says is done to the images.",
    )
    looking.add_images(p)
    p.flag(
        "labels",
        metavar="FILE",
        help="names of the classes, one a line (default: those that the data has, or labels.txt beside it,"
        " WEIGHTS or NET)",
    )
    p.flag("top", type=flags.at_least(1), default=5, metavar="K", help="classes of each image (default 5)")
    p.flag("oversample", action="store_true", help="the mean over ten crops of each image")
    how = looking.add_values(p)
    p.flag("size", type=looking.size, metavar="H,W", group=how, help="size before the net's part is cut out")
    p.flag(
        "resize",
        choices=MODES,
        default=MODES[0],
        group=how,
        help="how images of other proportions come to the size: stretched (default squash), or as `data make`"
        " does it",
    )
    p.flag(
        "invert",
        choices=INVERT,
        default=INVERT[0],
        group=how,
        help="exchange light and dark; auto (default): of grey images whose ground is light where that of the"
        " training data is dark, or the reverse; where the data is not here, a mean below a quarter of white,"
        " or without a mean an input of at most 64 pixels a side, stands for light on dark, like MNIST",
    )
    form = p.add_argument_group("what is printed").add_mutually_exclusive_group()
    p.flag(
        "json",
        action="store_true",
        group=form,  # type: ignore[arg-type]
        help="one JSON object; a value that is no number is null",
    )
    p.flag("csv", action="store_true", group=form, help="a row for each image and class")  # type: ignore[arg-type]
    p.flag("batch", type=flags.at_least(1), default=64, metavar="N", help="images at a time (default 64)")
    p.flag("output", metavar="NAME", help="the output with the classes, if the net has several")
    flags.add_shapes(p, "shape of an input that the net does not tell")
    flags.add_device(p)
    p.epilog = (
        looking.epilog("classified")
        + "  Without a Softmax or Sigmoid at the net's end the numbers are scores."
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    terminal.start_log(level=log.NOTICE)
    found = looking.images(args, "classify")
    classifier = Classifier(
        flags.named(args.net),
        flags.weights(args.weights),
        labels=args.labels,
        size=args.size,
        mode=args.resize,
        invert=args.invert,
        oversample=args.oversample,
        output=args.output,
        batch=args.batch,
        **looking.values(args),
    )
    answers = list(classifier.answers(found.names, top=args.top))
    looking.refuse_alone(args, answers, found.left_out)
    good = [answer for answer in answers if not answer.error]
    if args.json:
        about = {"values": classifier.kind}
        terminal.put(looking.as_json(args, answers, found.left_out, about, _entry))
    elif args.csv:
        terminal.put(_as_csv(classifier, good))
    elif good and len(answers) == 1:
        terminal.show("\n".join(_one(good[0], classifier)))
    elif good:
        terminal.show(_table(good, classifier))
    _say(answers, found.left_out, args.invert == "auto")
    return 0 if len(good) == len(answers) else 1


def _one(answer: Answer, classifier: Classifier) -> list[str]:
    """The lines for one image."""
    height, width = answer.size
    inverted = ", light and dark exchanged" if answer.inverted else ""
    rows = [(c.label, f"{c.value:.4f}", str(c.number)) for c in answer.classes]
    columns = 3 if any(label != number for label, _, number in rows) else 2
    head = ("class", classifier.kind, "number")[:columns]
    return [
        f"{looking.shown(answer)} ({width} x {height}{inverted})",
        aligned(head, [row[:columns] for row in rows], "<>>"[:columns]),
        f"decode {answer.decode_ms:.2f} ms, forward {answer.forward_ms:.2f} ms",
    ]


def _table(answers: Sequence[Answer], classifier: Classifier) -> str:
    """A row for each image: the likeliest class with its certainty, the others, and times."""
    rest = len(answers[0].classes) - 1
    head = ["image", "class", classifier.kind.partition(" ")[0], *[f"{i + 2}." for i in range(rest)]]
    head += ["decode ms", "forward ms"]
    rows = []
    for answer in answers:
        first, *others = answer.classes
        row = [
            looking.shown(answer) + (" (inverted)" if answer.inverted else ""),
            first.label,
            f"{first.value:.4f}",
        ]
        row += [f"{c.label} {c.value:.4f}" for c in others]
        rows.append([*row, f"{answer.decode_ms:.2f}", f"{answer.forward_ms:.2f}"])
    leaving = ["decode ms", *[f"{i + 2}." for i in reversed(range(rest))], "forward ms"]
    return aligned(head, rows, "<<>" + "<" * rest + ">>", width=terminal.width(), leaving=leaving)


def _entry(answer: Answer) -> dict[str, Any]:
    """What JSON says of an image; it has no word for what is not a number."""
    return {
        "inverted": answer.inverted,
        "classes": [
            {"number": c.number, "label": c.label, "value": c.value if math.isfinite(c.value) else None}
            for c in answer.classes
        ],
    }


def _as_csv(classifier: Classifier, answers: Sequence[Answer]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    value = classifier.kind.partition(" ")[0]
    writer.writerow(["image", "rank", "number", "label", value, "inverted", "decode_ms", "forward_ms"])
    for a in answers:
        for rank, c in enumerate(a.classes, 1):
            times = [f"{a.decode_ms:.3f}", f"{a.forward_ms:.3f}"]
            writer.writerow([a.name, rank, c.number, c.label, f"{c.value:.6g}", int(a.inverted), *times])
    return out.getvalue()


def _say(answers: Sequence[Answer], left_out: Sequence[str], chosen: bool) -> None:
    """What is to be known besides, on stderr."""
    inverted = sum(answer.inverted for answer in answers)
    if inverted and chosen:
        terminal.complain(
            f"light and dark exchanged in {inverted} of {len(answers)} images, whose ground is not that of"
            " the training data: --invert no leaves them as they are"
        )
    looking.complain(answers, left_out, "classified")
