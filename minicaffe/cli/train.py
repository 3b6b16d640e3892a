"""minicaffe train: trains the net of a solver prototxt."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import log
from ..convert.deploy import Deployment, speaks_of_deployment
from ..data import class_names
from ..errors import ConfigError, DataError, MiniCaffeError, locate
from ..files import write_together
from ..proto import extensions, text, upgrade
from ..proto.schema import NetParameter, SolverParameter
from ..runs.control import Control, Events
from ..runs.home import Home
from ..runs.metrics import Metrics
from ..solvers import all_in_one, snapshot
from ..solvers.all_in_one import Wishes
from ..solvers.callbacks import Callback
from ..solvers.solver import Solver
from . import flags, terminal
from .progress import Progress

BEGINNING = ("weights", "level", "stage", "seed", *Wishes._fields)  # flags that say how a run begins
EFFECTS = ("stop", "snapshot", "none")
NONFINITE_EFFECTS = ("stop", "report", "none")
# Where a --run's solver sets no snapshot: so many in a run, at this distance at least; so many are kept.
SNAPSHOTS, LEAST_DISTANCE, KEPT = 20, 100, 2


def parser() -> flags.Parser:
    p = flags.Parser("train", "Train the net of a solver prototxt; the log goes to stderr.")
    p.add_argument(
        "file",
        nargs="?",
        metavar="SOLVER",
        help="the solver prototxt, a net (see below), or a net of the package: lenet, lenet/solver_adam",
    )
    p.flag("solver", metavar="FILE", help="the same, as Caffe spells it")
    p.flag("snapshot", metavar="FILE", help="resume from this .solverstate")
    p.flag("weights", type=flags.utf8, metavar="FILES", help="start from these weights, separated by commas")
    p.flag("iterations", type=flags.at_least(0), metavar="N", help="train to iteration N instead of max_iter")
    p.flag("seed", type=flags.seed, metavar="N", help="in the place of the solver's random_seed")
    flags.add_state(p)
    flags.add_device(p)
    flags.add_strict(p)
    flags.add_log(p)
    p.flag("sigint_effect", choices=EFFECTS, default="stop", help="what Ctrl-C does (default stop)")
    p.flag("sighup_effect", choices=EFFECTS, default="snapshot", help="what a hangup does (default snapshot)")
    p.flag(
        "sigterm_effect",
        choices=EFFECTS,
        default="stop",
        help="what a request to end does, as docker, Slurm and systemd make it (default stop)",
    )
    safe = p.add_argument_group("runs that cannot be lost")
    p.flag(
        "run",
        metavar="DIR",
        group=safe,
        help="keep everything of the run in this folder, with snapshots on the way whether the solver sets"
        " any or not",
    )
    p.flag(
        "resume",
        metavar="auto|FILE",
        group=safe,
        help="auto: from the newest whole snapshot, or from the start if there is none",
    )
    p.flag(
        "metrics", metavar="FILE", group=safe, help="write displays and tests there, a JSON object per line"
    )
    p.flag("tensorboard", metavar="DIR", group=safe, help="write event files for TensorBoard there")
    p.flag(
        "verify_resume",
        action="store_true",
        group=safe,
        help="train a few iterations only (--iterations, default 6), with and without an interruption, and"
        " compare all bits",
    )
    p.flag(
        "nonfinite_effect",
        choices=NONFINITE_EFFECTS,
        default="stop",
        group=safe,
        help="what a loss or gradient does that is NaN or infinite (default stop, with a dump to replay)",
    )
    net = p.add_argument_group(
        "for a net without solver",
        "A net may be given in the place of a solver: it is trained in stage `train` and tested in stage"
        " `val`, and what it leaves open is filled in. For stage `deploy` a net of its own is written.",
    )
    p.flag("source", metavar="A,B", group=net, help="training and validation data, or a named set: mnist")
    p.flag(
        "num_output",
        type=flags.at_least(1),
        metavar="N",
        group=net,
        help="classes (default: those of the data)",
    )
    p.flag("batch_size", type=flags.at_least(1), metavar="N", group=net, help="default 64")
    p.flag("epochs", type=flags.positive, metavar="N", group=net, help="default 30")
    p.flag("base_lr", type=flags.positive, metavar="RATE", group=net, help="default 0.01")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    _check_flags(args)
    handler = terminal.start_log(args.log)
    for name in ("file", "solver"):
        if given := getattr(args, name):
            setattr(args, name, _named(given))
    home = Home(args.run) if args.run else None
    if home is None:
        return _train(args, None, handler, arguments)
    try:
        home.hold()
        with home.logged():
            return _train(args, home, handler, arguments)
    finally:
        if not home.exists:
            home.abandon()
        home.release()


def _named(path: str) -> str:
    """The solver or net that is given by its path or its name."""
    if Home(path).exists:
        hint = f"minicaffe train --run {shlex.quote(path)} --resume auto goes on with it"
        raise ConfigError(f"{path} is a run, no solver", hint=hint)
    return flags.named(path, "solver")


def _check_flags(args) -> None:
    path = args.solver or args.file
    if args.solver and args.file:
        raise ConfigError("name one solver prototxt", hint="minicaffe train solver.prototxt")
    going_on = bool(args.run and args.resume)
    if not path and not going_on:
        raise ConfigError("name one solver prototxt", hint="minicaffe train solver.prototxt")
    if not path and not Home(args.run).exists:
        hint = f"minicaffe train SOLVER --run {shlex.quote(args.run)}"
        raise ConfigError(f"{args.run} holds no run", hint=hint)
    sources = [name for name in ("snapshot", "weights", "resume") if getattr(args, name)]
    if sources in (["snapshot", "weights"], ["snapshot", "resume"]):
        raise ConfigError(
            f"--{sources[0]} and --{sources[1]} exclude each other", hint="a snapshot brings its weights"
        )
    for flag in ("snapshot", "resume"):
        state = getattr(args, flag)
        if not state or state == "auto":
            continue
        if ".caffemodel" in Path(state).name:
            hint = f"--weights {state} begins with them; --{flag} takes a .solverstate"
            raise ConfigError(f"--{flag} {state}: these are weights, not the state of a solver", hint=hint)
        if not os.path.isfile(state):
            raise ConfigError(f"{state}: there is no such solver state")
    for weights in (args.weights or "").split(","):
        if ".solverstate" in Path(weights.strip()).name:
            hint = f"--snapshot {weights.strip()} goes on from it, with its weights"
            raise ConfigError(f"--weights {weights.strip()}: this is the state of a solver", hint=hint)
    if args.metrics and not os.path.isdir(Path(args.metrics).absolute().parent):
        raise ConfigError(f"--metrics {args.metrics}: there is no such folder", hint="make it first")
    if args.verify_resume and (args.run or args.resume or args.snapshot):
        raise ConfigError("--verify_resume trains from the start, in no --run", hint="leave the others out")


def _train(args, home: Home | None, handler: log.StderrHandler, arguments: Sequence[str]) -> int:
    param, path, net = _solver(args, home)
    device = flags.device(args, param)
    flags.report(device, training=True)
    options: dict[str, Any] = {"source": path, "device": device, "strict": args.strict}
    if home is not None:
        options["folder"] = home.net_folder
    state = _state(args, param, home)
    if state:
        del param.weights[:]
    if args.verify_resume:
        from ..solvers.verify import verify_resume

        log.info(verify_resume(param, 6 if args.iterations is None else args.iterations, **options))
        return 0
    callbacks, events = _callbacks(args, home, handler)
    callbacks.append(begun := FirstIteration())
    solver = Solver.create(param, **options, callbacks=callbacks, nonfinite_effect=args.nonfinite_effect)
    if net is not None:
        _write_deployed(net, path, solver, args.run)
    if home is not None and not home.exists:
        home.write_job(["minicaffe", "train", *arguments], path, solver, state)
    effects: dict[int, str] = {signal.SIGINT: args.sigint_effect, signal.SIGTERM: args.sigterm_effect}
    if hasattr(signal, "SIGHUP"):
        effects[signal.SIGHUP] = args.sighup_effect
    try:
        with _signals(solver, effects, begun):
            log.info(f"Resuming from {state}" if state else "Starting Optimization")
            solver.solve(state)
    except BaseException as error:  # a Python layer may raise anything, SystemExit too
        if events is not None:
            events.record("end", solver.iteration, state="failed", error=_reason(error))
        raise
    if events is not None:
        events.record("end", solver.iteration, state="stopped" if solver.stopped else "finished")
    log.detail("Optimization Done.")
    return 0


def _solver(args, home: Home | None) -> tuple[SolverParameter, str, NetParameter | None]:
    """The solver with what the command line says, its file, and the net if one was given in its place."""
    if home is not None and home.exists and args.resume:
        return _go_on(args, home), str(home.solver), None
    path = args.solver or args.file
    wishes = Wishes(*(getattr(args, name) for name in Wishes._fields))
    net = upgrade.read_net(path, strict=args.strict) if text.is_net(path) else None
    if net is None:
        param = upgrade.read_solver(path, strict=args.strict)
    else:
        param = _solver_of(net, path, wishes, args.strict)
    if net is None and any(value is not None for value in wishes):
        given = next(name for name, value in wishes._asdict().items() if value is not None)
        raise ConfigError(f"--{given} is for a net; {path} is a solver", hint="set it in the prototxt")
    if args.strict:
        extensions.refuse(param)
    # Level and stages concern the training net, as in Caffe.
    if args.level:
        param.train_state.level = args.level
    if stages := flags.stages(args):
        param.train_state.stage.extend(stages)
    if args.iterations is not None and not args.verify_resume:
        param.max_iter = args.iterations
    if args.seed is not None:
        param.random_seed = args.seed
    if args.weights:
        del param.weights[:]
        param.weights.append(args.weights)
    if home is not None:
        _snapshot_by_default(param, strict=args.strict)
        param = home.found(param, path)
    return param, path, net


def _snapshot_by_default(param: SolverParameter, *, strict: bool) -> None:
    """Let a run that must not be lost make snapshots, unless its solver says how many, `snapshot: 0` too."""
    distance = max(param.max_iter // SNAPSHOTS, LEAST_DISTANCE)
    if param.HasField("snapshot") or distance >= param.max_iter:
        return
    param.snapshot = distance
    kept = ""
    if not (strict or param.HasField("keep_last")):  # it is an extension
        param.keep_last = KEPT
        kept = f", of which the newest {KEPT} are kept"
    log.info(f"The solver sets no snapshot: --run makes one every {distance} iterations{kept}")


def _reason(error: BaseException) -> str:
    if isinstance(error, MiniCaffeError):
        return str(error)
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _go_on(args, home: Home) -> SolverParameter:
    """The solver of a run that is resumed, in the folder that it began in: paths of data are meant from
    there."""
    job, given = home.read_job(), args.solver or args.file
    begun = Path(job["folder"])
    if given is not None and Path(given).resolve() != (begun / job["solver"]).resolve():
        what = f"{args.run} is a run of {job['solver']}, not of {given}"
        raise ConfigError(what, hint="leave the solver out")
    for name in BEGINNING:
        if getattr(args, name) or (name, args.seed) == ("seed", 0):
            raise ConfigError(f"--{name} is for the beginning of a run", hint=f"edit {home.solver}")
    _keep_device(args, job)
    if args.iterations is not None:
        home.extend(args.iterations)
    if begun.resolve() != Path.cwd():
        home.make_absolute()
        for name in ("resume", "snapshot", "metrics", "tensorboard"):
            if getattr(args, name) not in (None, "auto"):
                setattr(args, name, os.path.abspath(getattr(args, name)))
        try:
            os.chdir(begun)
            log.info(f"The run began in {begun}: it goes on there")
        except OSError as error:
            why = f"which cannot be entered ({error.strerror})"
            log.warning(f"The run began in {begun}, {why}: it goes on here")
    return home.read_solver()


def _keep_device(args, job: dict[str, Any]) -> None:
    """A run goes on where it began, on this GPU or on the CPU, unless the flags name another device."""
    begun = parser().parse(list(map(str, job["command"][2:])))
    if not (args.gpu or args.cpu):
        args.gpu, args.cpu = begun.gpu, begun.cpu
    args.math = args.math or begun.math


def _state(args, param: SolverParameter, home: Home | None) -> str | None:
    """The solver state to resume from."""
    if args.resume != "auto":
        return args.snapshot or args.resume
    newest = snapshot.newest(param.snapshot_prefix)
    if newest is not None:
        return str(newest)
    begun_from = home.read_job()["snapshot"] if home is not None and home.exists else None
    log.info(
        f"No snapshot {param.snapshot_prefix}_iter_N yet: training starts"
        + (f" where the run began, from {begun_from}" if begun_from else " at 0")
    )
    return begun_from


def _callbacks(args, home: Home | None, handler: log.StderrHandler) -> tuple[list[Callback], Events | None]:
    callbacks: list[Callback] = []
    events, clock = None, time.monotonic
    if home is not None:
        events = Events(home)
        control = Control(home, events)
        clock = control.clock  # pauses are no training
        callbacks += [events, control, Metrics(home.metrics, clock=clock)]
    if args.metrics:
        callbacks.append(Metrics(args.metrics, clock=clock))
    if args.tensorboard:
        from ..runs.tensorboard import TensorBoard

        callbacks.append(TensorBoard(args.tensorboard))
    if terminal.is_terminal(sys.stderr) and args.log != "quiet":
        callbacks.append(Progress(handler))
    return callbacks, events


def _solver_of(net: NetParameter, path: str, wishes: Wishes, strict: bool) -> SolverParameter:
    """A solver for a net that is given in its place; what the net leaves open is filled in."""
    with locate(path):
        all_in_one.complete(net, wishes)
        solver = all_in_one.solver_for(net, wishes, strict=strict)
    solver.snapshot_prefix = Path(path).stem
    return solver


def _write_deployed(net: NetParameter, path: str, solver: Solver, run: str | None) -> None:
    """The net for deployment, and in the folder of a run the names of the classes, which belong to it."""
    if not speaks_of_deployment(net):
        return
    folder = Path(run or "")
    target = folder / f"{Path(path).stem}_deploy.prototxt"
    contents = {target: text.spell(Deployment(net, written=True, like=solver.net).param).encode()}
    if run and (names := all_in_one.class_names(net)):
        contents[folder / class_names.FILE] = "".join(f"{name}\n" for name in names).encode()
    try:
        write_together(contents)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from None
    log.info(f"The net for deployment is in {target}")


class FirstIteration(Callback):
    """The iteration from which this process trains."""

    may_lag = True
    iteration: int | None = None

    def on_start(self, solver) -> None:
        self.iteration = solver.iteration


@contextmanager
def _signals(solver: Solver, effects: dict[int, str], begun: FirstIteration) -> Iterator[None]:
    """While training, signals become requests that the solver answers between iterations.  One that is to
    stop it ends the program at once if nothing has been trained yet (kernels may be compiling for longer than
    docker waits), and so does a second interrupt before the first is answered."""
    before: dict[int, Any] = {}

    def request(number: int, frame: object) -> None:
        stops = effects[number] == "stop"
        if stops and begun.iteration in (None, solver.iteration):
            raise KeyboardInterrupt("interrupted before the first update: there is nothing to keep")
        interrupts = stops and number == signal.SIGINT
        if interrupts and "stop" in solver.requests:
            raise KeyboardInterrupt
        solver.requests.append(effects[number])
        if interrupts:
            with suppress(RuntimeError):  # a line was just being written, which cannot be entered twice
                log.info("Interrupted: stopping behind this iteration; Ctrl-C again ends it at once")

    for number, effect in effects.items():
        before[number] = signal.signal(number, signal.SIG_IGN if effect == "none" else request)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
