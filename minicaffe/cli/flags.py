"""Flags as Caffe's tools take them: one dash or two, `=` or a space, in any order; inside a flag _ or -."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from .. import log
from ..device.base import MATH, Device
from ..device.cpu import CpuDevice
from ..device.gpu_properties import numbers
from ..errors import ConfigError, suggest
from ..net import Net
from ..proto import extensions, upgrade
from ..proto.schema import SolverParameter

# What gflags takes for the value of a boolean flag.
SWITCH = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are ConfigErrors with the closest flag."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"minicaffe {command}", description=description, allow_abbrev=False)
        self._booleans: set[str] = set()

    def flag(self, name: str, *, group: argparse._ArgumentGroup | None = None, **options) -> None:
        """Add --name, also understood with one dash; listed under `group` in the help."""
        (group or self).add_argument(f"--{name}", f"-{name}", **options)

    def boolean(self, name: str, *, help: str) -> None:
        """Add --name, which is off; gflags' --name=true, --name=false and --noname are understood too."""
        self.flag(name, action="store_true", help=help)
        self.flag(f"no{name}", action="store_false", dest=name, help=argparse.SUPPRESS)
        self._booleans.add(name)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        known, unknown = self.parse_known_intermixed_args([self._spelled(word) for word in arguments])
        if unknown:
            word = unknown[0]
            if not word.startswith("-"):
                self.error(f"surplus argument {word!r}")
            flags = [s[2:] for s in self._option_string_actions if s.startswith("--")]
            raise ConfigError(f"no flag {word!r}", hint=suggest(word.lstrip("-").split("=")[0], flags))
        return known

    def _spelled(self, word: str) -> str:
        """A word of the command line; a flag written with dashes, --verify-resume, with underscores, and
        --gray=false as --nogray."""
        name, equals, value = word.partition("=")
        bare = name.lstrip("-")
        dashes, underlined = name[: len(name) - len(bare)], bare.replace("-", "_")
        if dashes and equals and underlined in self._booleans:
            if value.lower() not in SWITCH:
                self.error(f"--{underlined} is true or false; got {value!r}")
            return dashes + underlined if SWITCH[value.lower()] else f"{dashes}no{underlined}"
        flags = self._option_string_actions
        known = name not in flags and dashes + underlined in flags
        return dashes + underlined + equals + value if known else word

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, hint=f"see {self.prog} --help")


def add_state(parser: Parser) -> None:
    """--level and --stage, the parts of a NetState that include and exclude rules look at."""
    parser.flag("level", type=int, default=0, metavar="N", help="level of the net's state (default 0)")
    parser.flag("stage", default="", metavar="A,B", help="stages of the net's state, separated by commas")


def stages(arguments: argparse.Namespace) -> list[str]:
    return [stage.strip() for stage in arguments.stage.split(",") if stage.strip()]


def add_device(parser: Parser) -> None:
    parser.flag("gpu", default="", metavar="ID", help="run on this GPU")
    parser.flag("cpu", action="store_true", help="run on the CPU whatever the file says")
    parser.flag(
        "math",
        choices=MATH,
        help="accuracy of products and convolutions on a GPU, where the net does not say (default FP32)",
    )


def device(arguments: argparse.Namespace, solver: SolverParameter | None = None, dtype="float32") -> Device:
    """The device that the flags, or else the solver file, ask for; as in Caffe, the CPU unless the file says
    solver_mode: GPU explicitly.  DeviceError for a GPU that there is not."""
    in_file = (
        solver is not None and solver.HasField("solver_mode") and solver.solver_mode == SolverParameter.GPU
    )
    if arguments.gpu and arguments.cpu:
        raise ConfigError("--gpu and --cpu exclude each other", hint="give one of them")
    if arguments.cpu or not (arguments.gpu or in_file):
        return CpuDevice(dtype)
    from ..device.cuda import CudaDevice

    number, asked = _gpu(arguments, solver)
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


def add_strict(parser: Parser) -> None:
    parser.flag("strict", action="store_true", help="refuse extensions that Caffe does not read")


def add_net(parser: Parser, iterations: str) -> None:
    """The flags that `net` reads, but for the weights."""
    parser.flag("model", metavar="FILE", help="the net prototxt")
    parser.flag("iterations", type=int, default=50, metavar="N", help=f"{iterations} (default 50)")
    add_state(parser)
    add_device(parser)
    add_strict(parser)


def net(arguments: argparse.Namespace, phase: str, *, forward_only: bool = False) -> Net:
    """The net that the flags name, in the state and on the device that they name; the log starts here."""
    if arguments.iterations < 1:
        raise ConfigError(f"--iterations must be at least 1; got {arguments.iterations}")
    log.to_stderr()
    param = upgrade.read_net(arguments.model)
    if arguments.strict:
        extensions.refuse(param)
    where = device(arguments)
    report(where)
    return Net(
        param,
        phase=phase,
        level=arguments.level,
        stages=stages(arguments),
        device=where,
        keep="needed",
        source=arguments.model,
        forward_only=forward_only,
    )
