"""minicaffe time: times every layer of a net."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from .. import log
from ..errors import ConfigError
from ..log import number
from ..net import Net
from . import flags


def parser() -> flags.Parser:
    p = flags.Parser("time", "Time forward and backward of every layer of a net.")
    p.flag(
        "phase", choices=("TRAIN", "TEST"), default="TRAIN", help="phase to build the net in (default TRAIN)"
    )
    p.flag("weights", metavar="FILE", help="accepted and ignored, as in Caffe: values do not change the time")
    flags.add_net(p, "passes to time")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.model:
        raise ConfigError("--model is missing", hint="minicaffe time --model net.prototxt")
    net = flags.net(args, args.phase)
    log.info("Performing Forward")
    net.forward()
    log.info(f"Initial loss: {number(net.loss())}")
    log.info("Performing Backward")
    net.backward()
    _benchmark(net, args.iterations)
    return 0


def _benchmark(net: Net, iterations: int) -> None:
    """Time passes layer by layer; the lines are Caffe's."""
    count = len(net.layers)
    forward_s, backward_s = [0.0] * count, [0.0] * count
    forward_total_s = backward_total_s = 0.0
    log.info("*** Benchmark begins ***")
    log.info(f"Testing for {iterations} iterations.")
    begun = perf_counter()
    for j in range(1, iterations + 1):
        net.stage()
        before = perf_counter()
        for i in range(count):
            forward_s[i] += _timed(net.run_forward, i, i)
        middle = perf_counter()
        for i in reversed(range(count)):
            backward_s[i] += _timed(net.run_backward, i, i)
        after = perf_counter()
        forward_total_s += middle - before
        backward_total_s += after - middle
        log.info(f"Iteration: {j} forward-backward time: {_ms(after - before)} ms.")
    log.info("Average time per layer: ")
    for i, layer in enumerate(net.layers):
        log.info(f"{layer.name:>10}\tforward: {_ms(forward_s[i] / iterations)} ms.")
        log.info(f"{layer.name:>10}\tbackward: {_ms(backward_s[i] / iterations)} ms.")
    log.info(f"Average Forward pass: {_ms(forward_total_s / iterations)} ms.")
    log.info(f"Average Backward pass: {_ms(backward_total_s / iterations)} ms.")
    log.info(f"Average Forward-Backward: {_ms((forward_total_s + backward_total_s) / iterations)} ms.")
    log.info(f"Total Time: {_ms(perf_counter() - begun)} ms.")
    log.info("*** Benchmark ends ***")


def _timed(run: Callable[[int, int], None], first: int, last: int) -> float:
    begun = perf_counter()
    run(first, last)
    return perf_counter() - begun


def _ms(seconds: float) -> str:
    return number(seconds * 1e3)
