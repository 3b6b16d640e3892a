"""minicaffe test: scores a net with given weights."""

from __future__ import annotations

import numpy as np

from .. import log
from ..errors import ConfigError
from ..log import number
from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("test", "Run a net in phase TEST on given weights and report the mean of its outputs.")
    p.flag("weights", metavar="FILE", help="a .caffemodel")
    flags.add_net(p, "batches to run")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    for name in ("model", "weights"):
        if not getattr(args, name):
            raise ConfigError(
                f"--{name} is missing", hint="minicaffe test --model net.prototxt --weights net.caffemodel"
            )
    net = flags.net(args, "TEST", forward_only=True)
    net.load(args.weights)
    log.info(f"Running for {args.iterations} iterations.")
    loss = 0.0
    sums: dict[str, np.ndarray] = {}
    for i in range(args.iterations):
        outputs = net.forward()
        loss += net.loss()
        for name, values in outputs.items():
            for value in values.ravel():
                log.info(f"Batch {i}, {name} = {number(value)}")
            sums[name] = sums.get(name, 0.0) + values.ravel().astype(np.float64)
    log.info(f"Loss: {number(loss / args.iterations)}")
    for name, total in sums.items():
        weight = net.loss_weight(name)
        for mean in total / args.iterations:
            part = f" (* {number(weight)} = {number(weight * mean)} loss)" if weight else ""
            log.info(f"{name} = {number(mean)}{part}")
    return 0
