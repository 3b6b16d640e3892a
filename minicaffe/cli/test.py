"""minicaffe test: scores a net with given weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import log
from ..errors import ConfigError, ShapeError
from ..log import number
from ..net import Net
from . import flags

Outputs = dict[str, np.ndarray]  # flat, by the name of the output, in Caffe's order


def parser() -> flags.Parser:
    p = flags.Parser("test", "Run a net in phase TEST on given weights and report the mean of its outputs.")
    flags.add_net(p, "batches to run")
    p.add_argument("file", nargs="?", metavar="WEIGHTS", help="one .caffemodel, binary or HDF5")
    p.flag("weights", metavar="FILE", help="the same, as Caffe spells it")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    usage = "minicaffe test net.prototxt net.caffemodel"
    model = flags.one_file(args.net, "model", args.model, usage)
    weights = flags.one_file(args.file, "weights", args.weights, usage)
    if "," in weights and not Path(weights).exists():
        raise ConfigError(f"takes one file of weights; got {weights}", hint="a list is for train")
    net = flags.net(model, args, "TEST", forward_only=True)
    net.load(weights, must_match=True)
    loss, means = _score(net, args.iterations)
    log.info(f"Loss: {number(loss)}")
    for name, values in means.items():
        weight = net.loss_weight(name)
        for mean in values:
            part = f" (* {number(weight)} = {number(weight * mean)} loss)" if weight else ""
            log.info(f"{name} = {number(mean)}{part}")
    return 0


def _score(net: Net, batches: int) -> tuple[float, Outputs]:
    """The means over the batches of the loss and of every element of the outputs; logs each batch.

    Raises ShapeError for an output that changes its size: its elements then have no means.
    """
    log.info(f"Running for {batches} iterations.")
    loss = 0.0
    sums: Outputs = {}
    for i in range(batches):
        outputs = {name: values.ravel() for name, values in net.forward().items()}
        loss += net.loss()
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
    return loss / batches, {name: total / batches for name, total in sums.items()}
