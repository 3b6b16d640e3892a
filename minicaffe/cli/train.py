"""minicaffe train: trains the net of a solver prototxt."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import log
from ..errors import ConfigError, locate
from ..files import write_atomic
from ..proto import extensions, text, upgrade
from ..proto.schema import NetParameter, SolverParameter
from ..solvers import all_in_one
from ..solvers.all_in_one import Wishes
from ..solvers.solver import Solver
from . import flags
from .progress import Progress

EFFECTS = ("stop", "snapshot", "none")


def parser() -> flags.Parser:
    p = flags.Parser("train", "Train the net of a solver prototxt; logs to stderr in Caffe's form.")
    p.add_argument("file", nargs="?", metavar="SOLVER", help="the solver prototxt, or a net, see below")
    p.flag("solver", metavar="FILE", help="the same, as Caffe spells it")
    p.flag("snapshot", metavar="FILE", help="resume from this .solverstate")
    p.flag("weights", metavar="FILES", help="start from these weights, separated by commas")
    p.flag("iterations", type=int, metavar="N", help="train to iteration N instead of max_iter")
    flags.add_state(p)
    flags.add_device(p)
    net = p.add_argument_group(
        "for a net without solver",
        "A net may be given in the place of a solver: it is trained in stage `train` and tested in stage"
        " `val`, and what it leaves open is filled in. For stage `deploy` a net of its own is written.",
    )
    p.flag("source", metavar="A,B", group=net, help="training and validation data, or a named set: mnist")
    p.flag("num_output", type=int, metavar="N", group=net, help="classes (default: those of the data)")
    p.flag("batch_size", type=int, metavar="N", group=net, help="default 64")
    p.flag("epochs", type=float, metavar="N", group=net, help="default 30")
    p.flag("base_lr", type=float, metavar="RATE", group=net, help="default 0.01")
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
    wishes = Wishes(*(getattr(args, name) for name in Wishes._fields))
    net = upgrade.read_net(path) if text.is_net(path) else None
    param = upgrade.read_solver(path) if net is None else _solver_of(net, path, wishes)
    if net is None and any(value is not None for value in wishes):
        given = next(name for name, value in wishes._asdict().items() if value is not None)
        raise ConfigError(f"--{given} is for a net; {path} is a solver", hint="set it in the prototxt")
    if args.strict:
        extensions.refuse(param)
    _override(param, args)
    device = flags.device(args, param)
    log.info("Use CPU.")
    bar = Progress(handler)
    callbacks = [bar] if sys.stderr.isatty() else []
    solver = Solver.create(param, source=path, device=device, callbacks=callbacks, strict=args.strict)
    if net is not None:
        _write_deployed(net, path, solver)
    effects: dict[int, str] = {signal.SIGINT: args.sigint_effect}
    if hasattr(signal, "SIGHUP"):
        effects[signal.SIGHUP] = args.sighup_effect
    with _signals(solver, effects):
        log.info(f"Resuming from {args.snapshot}" if args.snapshot else "Starting Optimization")
        solver.solve(args.snapshot)
    log.info("Optimization Done.")
    return 0


def _solver_of(net: NetParameter, path: str, wishes: Wishes) -> SolverParameter:
    """A solver for a net that is given in its place; what the net leaves open is filled in."""
    with locate(path):
        all_in_one.complete(net, wishes)
        solver = all_in_one.solver_for(net, wishes)
    solver.snapshot_prefix = Path(path).stem
    return solver


def _write_deployed(net: NetParameter, path: str, solver: Solver) -> None:
    deployed = all_in_one.deployed(net, solver.net)
    if deployed is not None:
        target = f"{Path(path).stem}_deploy.prototxt"
        write_atomic(target, text.spell(deployed).encode())
        log.info(f"The net for deployment is in {target}")


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
