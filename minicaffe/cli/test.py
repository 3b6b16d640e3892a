"""minicaffe test: scores a net with given weights."""

from __future__ import annotations

import numpy as np

from .. import log
from ..errors import ConfigError
from ..log import number
from ..net import Net
from ..proto import extensions, upgrade
from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("test", "Run a net in phase TEST on given weights and report the mean of its outputs.")
    p.flag("model", metavar="FILE", help="the net prototxt")
    p.flag("weights", metavar="FILE", help="a .caffemodel")
    p.flag("iterations", type=int, default=50, metavar="N", help="batches to run (default 50)")
    flags.add_state(p)
    flags.add_device(p)
    flags.add_strict(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    for name in ("model", "weights"):
        if not getattr(args, name):
            raise ConfigError(
                f"--{name} is missing", hint="minicaffe test --model net.prototxt --weights net.caffemodel"
            )
    if args.iterations < 1:
        raise ConfigError(f"--iterations must be at least 1; got {args.iterations}")
    log.to_stderr()
    param = upgrade.read_net(args.model)
    if args.strict:
        extensions.refuse(param)
    device = flags.device(args)
    log.info("Use CPU.")
    net = Net(
        param,
        phase="TEST",
        level=args.level,
        stages=flags.stages(args),
        device=device,
        keep="needed",
        source=args.model,
    )
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
