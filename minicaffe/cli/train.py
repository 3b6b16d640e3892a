"""minicaffe train: trains the net of a solver prototxt."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import log
from ..errors import ConfigError
from ..proto import extensions, upgrade
from ..proto.schema import SolverParameter
from ..solvers.solver import Solver
from . import flags
from .progress import Progress

EFFECTS = ("stop", "snapshot", "none")


def parser() -> flags.Parser:
    p = flags.Parser("train", "Train the net of a solver prototxt; logs to stderr in Caffe's form.")
    p.add_argument("file", nargs="?", metavar="SOLVER", help="the solver prototxt")
    p.flag("solver", metavar="FILE", help="the same, as Caffe spells it")
    p.flag("snapshot", metavar="FILE", help="resume from this .solverstate")
    p.flag("weights", metavar="FILES", help="start from these weights, separated by commas")
    p.flag("iterations", type=int, metavar="N", help="train to iteration N instead of max_iter")
    flags.add_state(p)
    flags.add_device(p)
    flags.add_strict(p)
    p.flag("sigint_effect", choices=EFFECTS, default="stop", help="what Ctrl-C does (default stop)")
    p.flag("sighup_effect", choices=EFFECTS, default="snapshot", help="what a hangup does (default snapshot)")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    path = args.solver or args.file
    if not path or (args.solver and args.file):
        raise ConfigError("name one solver prototxt", hint="minicaffe train solver.prototxt")
    if args.snapshot and args.weights:
        raise ConfigError("--snapshot and --weights exclude each other", hint="a snapshot brings its weights")
    handler = log.to_stderr()
    param = upgrade.read_solver(path)
    if args.strict:
        extensions.refuse(param)
    _override(param, args)
    device = flags.device(args, param)
    log.info("Use CPU.")
    bar = Progress(handler)
    callbacks = [bar] if sys.stderr.isatty() else []
    solver = Solver.create(param, source=path, device=device, callbacks=callbacks, strict=args.strict)
    effects: dict[int, str] = {signal.SIGINT: args.sigint_effect}
    if hasattr(signal, "SIGHUP"):
        effects[signal.SIGHUP] = args.sighup_effect
    with _signals(solver, effects):
        log.info(f"Resuming from {args.snapshot}" if args.snapshot else "Starting Optimization")
        solver.solve(args.snapshot)
    log.info("Optimization Done.")
    return 0


def _override(param: SolverParameter, args) -> None:
    """What the command line says goes over what the file says.  Level and stages concern the training net, as
    in Caffe."""
    if args.level:
        param.train_state.level = args.level
    param.train_state.stage.extend(flags.stages(args))
    if args.iterations is not None:
        param.max_iter = args.iterations
    if args.snapshot or args.weights:
        del param.weights[:]
    if args.weights:
        param.weights.append(args.weights)


@contextmanager
def _signals(solver: Solver, effects: dict[int, str]) -> Iterator[None]:
    """While training, signals become requests that the solver answers between iterations; a second interrupt
    before that ends the program at once."""
    before: dict[int, Any] = {}

    def request(number: int, frame: object) -> None:
        if number == signal.SIGINT and "stop" in solver.requests:
            raise KeyboardInterrupt
        solver.requests.append(effects[number])

    for number, effect in effects.items():
        before[number] = signal.signal(number, signal.SIG_IGN if effect == "none" else request)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
