"""What flags of several commands stand for: nets, devices, shapes, weights."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable

from .. import log, zoo
from ..device.base import MATH, OLD_MATH, Device
from ..device.cpu import CpuDevice
from ..device.gpu_properties import numbers
from ..device.gpus import or_cpu
from ..errors import ConfigError, locate
from ..files import LARGEST_BYTES
from ..net import PHASES, Net
from ..proto import upgrade
from ..proto.schema import NetParameter, SolverParameter
from ..runs.home import Home
from ..solvers import all_in_one
from ..solvers.all_in_one import Wishes
from . import terminal
from .parsing import Parser as Parser
from .parsing import at_least as at_least
from .parsing import not_negative as not_negative
from .parsing import positive as positive
from .parsing import seed as seed
from .parsing import utf8 as utf8

STAGES = {"TRAIN": "train", "TEST": "val"}  # of all-in-one nets, by phase


def add_state(parser: Parser) -> None:
    """--level and --stage, the parts of a NetState that include and exclude rules look at."""
    parser.flag("level", type=int, default=0, metavar="N", help="level of the net's state (default 0)")
    parser.flag(
        "stage",
        type=utf8,
        default="",
        metavar="A,B",
        help="stages of the net's state, separated by commas",
    )


def stages(arguments: argparse.Namespace) -> list[str]:
    return [stage.strip() for stage in arguments.stage.split(",") if stage.strip()]


SIZE = re.compile(r"([1-9][0-9]{0,14})([KMGT]?)i?B?", re.IGNORECASE)


def add_largest(parser: Parser) -> None:
    """--largest_file, how many bytes a file that is smaller than that may become in memory."""
    parser.flag(
        "largest_file",
        type=_size,
        default=LARGEST_BYTES,
        metavar="SIZE",
        help="memory that what a file unpacks to may take, if it is more than the file itself (default 1G)",
    )


def _size(text: str) -> int:
    if (found := SIZE.fullmatch(text)) is None:
        raise argparse.ArgumentTypeError(f"a size is a number of bytes, or like 500M, 8G; got {text!r}")
    return int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")


def add_shapes(parser: Parser, what: str = "shape of a top whose data is not here; may be repeated") -> None:
    """--shape, which `shapes` reads."""
    parser.flag("shape", action="append", default=[], metavar="TOP=N,C,H,W", help=what)


def shapes(arguments: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """Shapes by name, given as --shape data=32,3,224,224; ConfigError for another form or a name twice."""
    found: dict[str, tuple[int, ...]] = {}
    for word in arguments.shape:
        name, _, extents = word.rpartition("=")
        if not name or not re.fullmatch(r"[1-9][0-9]{0,18}(, *[1-9][0-9]{0,18})*", extents):
            raise ConfigError(f"--shape {word}: no name and shape", hint="--shape data=32,3,224,224")
        if name in found:
            raise ConfigError(f"--shape {word}: {name} has a shape already", hint="give one of the two")
        found[name] = tuple(map(int, extents.split(",")))
    return found


def add_device(parser: Parser) -> None:
    add_largest(parser)
    parser.flag("gpu", default="", metavar="ID", help="run on this GPU")
    parser.flag("cpu", action="store_true", help="run on the CPU whatever the file says")
    parser.flag(
        "math",
        type=str.upper,
        choices=(*MATH, *OLD_MATH),
        metavar="|".join(MATH).lower(),
        help="of products and convolutions, where the net does not say: fast (the default) lets the CPU take"
        " Winograd's convolutions, tf32 lets a GPU round factors besides, exact neither",
    )
    add_threads(parser)


def add_threads(parser: Parser) -> None:
    """--threads, for a CpuDevice."""
    parser.flag(
        "threads",
        type=at_least(1),
        metavar="N",
        help="threads on the CPU (default: a processor each); results have the same bits with any number",
    )


def device(arguments: argparse.Namespace, solver: SolverParameter | None = None, dtype="float32") -> Device:
    """The device that the flags, or else the solver file, ask for; as in Caffe, the CPU unless the file says
    solver_mode: GPU explicitly.  DeviceError for a GPU that there is not."""
    chosen = _device(arguments, solver, dtype)
    chosen.largest_bytes = arguments.largest_file
    return chosen


def _device(arguments: argparse.Namespace, solver: SolverParameter | None, dtype) -> Device:
    in_file = (
        solver is not None and solver.HasField("solver_mode") and solver.solver_mode == SolverParameter.GPU
    )
    if arguments.gpu and arguments.cpu:
        raise ConfigError("--gpu and --cpu exclude each other", hint="give one of them")
    if arguments.cpu or not (arguments.gpu or in_file):
        return CpuDevice(dtype, math=arguments.math or MATH[0], threads=arguments.threads)
    from ..device.cuda import CudaDevice

    number, asked = _gpu(arguments, solver)
    with or_cpu():
        return CudaDevice(dtype, number=number, math=arguments.math or MATH[0], asked=asked)


def _gpu(arguments: argparse.Namespace, solver: SolverParameter | None) -> tuple[int, str]:
    """The GPU wanted, and what wants it."""
    if not arguments.gpu:
        return (solver.device_id if solver is not None else 0), "solver_mode: GPU"
    wanted, asked = numbers(arguments.gpu), f"--gpu {arguments.gpu}"
    if wanted is None or len(wanted) != 1:
        raise ConfigError(
            f"{asked}: a net runs on one GPU", hint="name one: --gpu 0; device_query --gpu all lists them"
        )
    return wanted[0], asked


def report(device: Device, *, training: bool = False) -> None:
    """Caffe's lines about where a net runs; `train` has others than the rest."""
    if device.synchronous:
        log.info("Use CPU.")
        return
    told = device.describe()
    number, name = told["Number"], told["GPU"]
    log.info(f"Using GPUs {number}" if training else f"Use GPU with device ID {number}")
    log.info(f"GPU {number}: {name}" if training else f"GPU device name: {name}")


def add_log(parser: Parser) -> None:
    parser.flag(
        "log",
        choices=terminal.LOGS,
        help="on stderr: compact (default on a terminal), as Caffe's (default elsewhere), or warnings alone",
    )


def add_strict(parser: Parser) -> None:
    parser.flag("strict", action="store_true", help="refuse extensions that Caffe does not read")


def add_net(parser: Parser, iterations: str) -> None:
    """What `net` reads: the net, which is the first file by position too, and its flags, but for the
    weights."""
    parser.add_argument("net", nargs="?", metavar="NET", help="the net prototxt, or a net of the package")
    parser.flag("model", metavar="FILE", help="the same, as Caffe spells it")
    parser.flag("iterations", type=at_least(1), default=50, metavar="N", help=f"{iterations} (default 50)")
    add_state(parser)
    parser.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    add_device(parser)
    add_strict(parser)
    add_log(parser)


def named(path: str, kind: str = "net") -> str:
    """The file that a net or, for kind "solver", a solver is given by: its path, or its name in the package;
    a word in the log says so (zoo.find)."""
    found = zoo.find(path, kind)
    if found != path:
        log.info(f"{path} is {found}")
    return found


def weights(path: str) -> str:
    """The weights that are given by their file or by a run, which has its newest."""
    home = Home(path)
    if not home.exists:
        if os.path.isdir(path):
            raise ConfigError(f"{path} is a folder, and no run", hint="name a file of weights, or a run")
        return path
    newest = home.newest_weights()
    if newest is None:
        raise ConfigError(f"{path}: the run has no snapshot yet")
    log.info(f"{path} is {newest}")
    return str(newest)


def one_file(by_position: str | None, flag: str, by_flag: str | None, usage: str) -> str:
    """The file that is named by position or by a flag; ConfigError unless it is named once."""
    if by_position and by_flag:
        raise ConfigError(f"{by_position} stands where --{flag} names {by_flag}: name one", hint=usage)
    if not (by_position or by_flag):
        verb = "are" if flag.endswith("s") else "is"
        raise ConfigError(f"no {flag} {verb} named", hint=usage)
    return by_position or by_flag or ""


def described(path: str, arguments: argparse.Namespace, phase: str) -> tuple[str, NetParameter]:
    """The net's file, and the net in the state that the flags name, not yet built; the log starts here."""
    terminal.start_log(arguments.log)
    path = named(path)
    param = upgrade.read_net(path, strict=arguments.strict)
    param.state.phase, param.state.level = PHASES[phase], arguments.level
    param.state.stage.extend(stages(arguments))
    if all_in_one.has_stages(param):
        param.state.stage.extend([] if arguments.stage else [STAGES[phase]])
        with locate(path):
            all_in_one.complete(param, Wishes(source=arguments.source))
    return path, param


def net(
    path: str,
    arguments: argparse.Namespace,
    phase: str,
    *,
    forward_only: bool = False,
    keep: str = "needed",
    prepare: Callable[[NetParameter], NetParameter] = lambda param: param,
) -> Net:
    """The net in a file, in the state and on the device that the flags name; the log starts here.

    An all-in-one net is in stage `train` or `val` unless they name another, and completed as for training.

    prepare   what is made of it, in its state, before it is built
    """
    path, param = described(path, arguments, phase)
    where = device(arguments)
    report(where)
    return Net(
        prepare(param),
        device=where,
        keep=keep,
        source=path,
        forward_only=forward_only,
    )
