"""minicaffe test: scores a net with given weights."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from .. import log, reports
from ..checking.table import aligned
from ..errors import ConfigError, ShapeError
from ..log import number
from ..net import Net
from ..reports import words
from ..reports.evaluation import Evaluation
from ..solvers.average_precision import VERSIONS, Verdicts, mean
from ..solvers.testing import detections
from . import flags, terminal

Outputs = dict[str, np.ndarray]  # flat, by the name of the output, in Caffe's order

BATCHES = 50  # to run where nobody says how many, as in Caffe
TELL_S = 10  # seconds between two lines of progress
FOR_REPORT = ("labels", "scores", "label")


def parser() -> flags.Parser:
    p = flags.Parser("test", "Run a net in phase TEST on given weights and report the mean of its outputs.")
    flags.add_net(p, "batches to run; with --report all samples, each once, if left out")
    p.set_defaults(iterations=None)
    p.add_argument(
        "file", nargs="?", metavar="WEIGHTS", help="one .caffemodel, binary or HDF5, or a run: its newest"
    )
    p.flag("weights", metavar="FILE", help="the same, as Caffe spells it")
    p.flag(
        "ap_version",
        choices=VERSIONS,
        default=VERSIONS[0],
        help="of a net that ends in DetectionEvaluate: what average precision is (default %(default)s)",
    )
    report = p.add_argument_group(
        "a report on a net of classes",
        "How good the net is, class by class, and where it errs, as a page, pictures and JSON.",
    )
    p.flag("report", metavar="DIR", group=report, help="write it into this folder, and a summary to stdout")
    p.flag(
        "labels",
        metavar="FILE",
        group=report,
        help="names of the classes, one a line (default: labels.txt beside the data, the weights or the net)",
    )
    p.flag("scores", metavar="BLOB", group=report, help="the scores of classes (default: found in the net)")
    p.flag("label", metavar="BLOB", group=report, help="the labels (default: found in the net)")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    usage = "minicaffe test net.prototxt net.caffemodel"
    model = flags.one_file(args.net, "model", args.model, usage)
    weights = flags.one_file(args.file, "weights", args.weights, usage)
    if "," in weights and not Path(weights).exists():
        raise ConfigError(f"takes one file of weights; got {weights}", hint="a list is for train")
    if args.report:
        return _report(args, model, weights)
    for flag in FOR_REPORT:
        if getattr(args, flag):
            raise ConfigError(f"--{flag} is for a report", hint="--report DIR")
    net = flags.net(model, args, "TEST", forward_only=True)
    net.load(flags.weights(weights), must_match=True)
    loss, means, verdicts = _score(net, args.iterations or BATCHES)
    log.info(f"Loss: {number(loss)}")
    for name, rows in verdicts.items():
        precisions = rows.of_classes(args.ap_version)
        for c, value in precisions.items():
            log.info(f"class{c}: {number(value)}")
        log.info(f"{name} = {number(mean(precisions))}")
    for name, values in means.items():
        weight = net.loss_weight(name)
        for value in values:
            part = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
            log.info(f"{name} = {number(value)}{part}")
    return 0


def _score(net: Net, batches: int) -> tuple[float, Outputs, dict[str, Verdicts]]:
    """The means over the batches of the loss and of every element of the outputs, and the verdicts of a
    detector; logs each batch.

    Raises ShapeError for an output that changes its size: its elements then have no means.
    """
    log.info(f"Running for {batches} iterations.")
    loss = 0.0
    sums: Outputs = {}
    verdicts = {name: Verdicts() for name in detections(net)}
    for i in range(batches):
        outputs = {name: values.ravel() for name, values in net.forward().items()}
        loss += net.loss()
        for name, rows in verdicts.items():
            rows.add(outputs.pop(name))
        for name, values in outputs.items():
            for value in values:
                log.detail(f"Batch {i}, {name} = {number(value)}")
            total = sums.setdefault(name, np.zeros(values.size))
            if total.size != values.size:
                raise ShapeError(
                    f"output {name!r} has {values.size} elements in batch {i}, {total.size} before: there is"
                    " no mean",
                    hint="end its path with a layer whose top keeps its size, or Silence",
                )
            total += values
    return loss / batches, {name: total / batches for name, total in sums.items()}, verdicts


def _report(args, model: str, weights: str) -> int:
    reports.refuse(args.report)  # now, not after an hour
    net = flags.net(model, args, "TEST", forward_only=True, keep="all")
    weights = flags.weights(weights)
    net.load(weights, must_match=True)
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_S:
            told = time.monotonic()
            log.info(f"{done:,} of {total:,} samples")

    evaluation = reports.evaluate(
        net,
        weights=weights,
        classes=args.labels,
        scores=args.scores or "",
        label=args.label or "",
        batches=args.iterations,
        tell=tell,
    )
    reports.write(evaluation, args.report)
    _say(evaluation)
    terminal.say(f"Wrote {Path(args.report) / reports.PAGE}")
    return 0


def _say(evaluation: Evaluation) -> None:
    """The summary, and the table of classes."""
    width = terminal.width()
    head, *lines = words.summary(evaluation)
    terminal.show(aligned(head, lines, "<><", width=width))
    terminal.show("")
    rows = [words.cells(evaluation, c) for c in words.listed(evaluation)]
    terminal.show(aligned(words.TABLE, rows, "<>>>>", width=width))
    for remark in filter(None, [words.unlisted(evaluation), *words.remarks(evaluation)]):
        terminal.say(remark)
