"""minicaffe time: times every layer of a net.

The log holds Caffe's lines, with averages over the iterations; the table and the JSON have medians, which a
busy machine disturbs less.

Differs   backward is that of training: a layer that it leaves out takes no time, and a gradient that nothing
          needs is not computed.  Caffe calls every layer's backward, and so aborts where a layer has none
          (ArgMax, Threshold).  The next batch is put in place between passes and has a time of its own;
          Caffe's is in the forward of the data layer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from .. import log
from ..checking.busy import Others
from ..checking.finding import Finding
from ..checking.gradcheck import fill_inputs
from ..checking.shapes import without_data
from ..checking.state import State
from ..checking.timing import Times, measure, per_layer
from ..checking.timing_report import as_json, as_text
from ..errors import DataError, locate
from ..files import write_atomic
from ..log import number
from ..net import Net
from ..proto.schema import NetParameter
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "time",
        "Time forward and backward of every layer of a net: Caffe's lines in the log, then a table of medians"
        " and of what each layer computes and moves per second.  Backward is what training runs of it.",
    )
    p.flag(
        "phase", choices=("TRAIN", "TEST"), default="TRAIN", help="phase to build the net in (default TRAIN)"
    )
    p.flag("weights", metavar="FILE", help="accepted and ignored, as in Caffe: values do not change the time")
    flags.add_net(p, "passes to time")
    flags.add_shapes(p)
    p.flag("sort", action="store_true", help="the table with the slowest layers first")
    p.flag("json", metavar="FILE", help="write all of it for programs; - for the terminal, without the table")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    model = flags.one_file(args.net, "model", args.model, "minicaffe time net.prototxt")
    target = None if args.json in (None, "-") else _writable(args.json)
    with terminal.report_alone():
        net = _net(model, args)
        log.detail("Performing Forward")
        net.forward()
        log.info(f"Initial loss: {number(net.loss())}")
        log.detail("Performing Backward")
        net.backward()
        others = Others()
        times = _benchmark(net, args.iterations)
        if told := others.told():
            log.warning(told)
    rows = per_layer(net, times)
    content = json.dumps(as_json(net, rows, times), indent=2)
    if args.json == "-":
        terminal.put(f"{content}\n")
    else:
        terminal.show(as_text(rows, times, slowest_first=args.sort, width=terminal.width()))
    if target:
        try:
            write_atomic(target, f"{content}\n".encode())
        except OSError as error:
            raise _unwritable(target, error.strerror or str(error)) from None
    return 0


def _net(model: str, args: argparse.Namespace) -> Net:
    """The net, with made-up values in the place of data that is not here."""
    findings: list[Finding] = []

    def prepare(param: NetParameter) -> NetParameter:
        with locate(model):
            state = State(args.phase, param, model)
        prepared, found = without_data(state, flags.shapes(args))
        for finding in found:
            log.warning(str(finding._replace(remedy=finding.remedy or "it is timed on made-up values")))
        findings.extend(found)
        return prepared

    net = flags.net(model, args, args.phase, prepare=prepare)
    if findings or args.shape:
        fill_inputs(net)
    return net


def _benchmark(net: Net, iterations: int) -> Times:
    """Time passes layer by layer; the lines are Caffe's."""
    log.detail("*** Benchmark begins ***")
    log.info(f"Testing for {iterations} iterations.")
    times = measure(
        net, iterations, lambda j, s: log.detail(f"Iteration: {j} forward-backward time: {_ms(s)} ms.")
    )
    log.detail("Average time per layer: ")
    for layer, forward, backward in zip(net.layers, times.forward, times.backward):
        log.detail(f"{layer.name:>10}\tforward: {_ms(np.mean(forward))} ms.")
        log.detail(f"{layer.name:>10}\tbackward: {_ms(np.mean(backward))} ms.")
    both = times.forward_pass + times.backward_pass
    log.info(f"Average Forward pass: {_ms(np.mean(times.forward_pass))} ms.")
    log.info(f"Average Backward pass: {_ms(np.mean(times.backward_pass))} ms.")
    log.info(f"Average Forward-Backward: {_ms(np.mean(both))} ms.")
    log.info(f"Total Time: {_ms(times.total)} ms.")
    log.detail("*** Benchmark ends ***")
    return times


def _ms(seconds: float | np.floating) -> str:
    return number(1e3 * float(seconds))


def _writable(path: str) -> Path:
    """The file to write, refused before the work where that is foreseeable."""
    target = Path(path)
    if target.is_dir():
        raise _unwritable(target, "it is a folder")
    if not target.parent.is_dir():
        raise _unwritable(target, f"there is no folder {target.parent}")
    return target


def _unwritable(path: Path, why: str) -> DataError:
    return DataError(
        f"--json: cannot write {path}: {why}", hint="name a file in a folder that can be written"
    )
