"""The nets of a solver: one to train, any number to test, with the states Caffe gives them."""

from __future__ import annotations

import filecmp
import os.path
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import log, zoo
from ..device.base import Device
from ..errors import ConfigError, DataError
from ..net import Net
from ..proto import upgrade
from ..proto.schema import TEST, TRAIN, Message, NetParameter, NetState

TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")

Source = tuple[NetParameter, str]  # the net, and the file it came from


def find(path: str, solver_file: str, *, tell: bool = False) -> str:
    """A path as the solver file means it: from the working folder, which is Caffe's rule; or else from the
    folder of the solver file; or else the file of that name beside the solver file: most published solvers
    name their nets from Caffe's root, whatever folder they lie in.  The path as it is if there is none.
    A solver of the package means what lies beside it first, whatever the working folder holds.

    tell  log which was taken, where it is not Caffe's, or where both are there and differ
    """
    if not solver_file:
        return path
    folder = Path(solver_file).parent
    name = re.split(r"[/\\]", path)[-1]  # of a path on Windows too
    others = [str(place) for place in (folder / path, folder / name) if _is_there(place)]
    if not _is_there(path):
        if others and tell:
            log.info(f"{path!r} is not in {Path.cwd()}: taken from beside the solver, {others[0]}")
        return others[0] if others else path
    if others and zoo.holds(solver_file):
        return others[0]
    if others and tell and not _are_equal(path, others[0]):
        log.warning(
            f"{path!r} is taken from the working folder, {Path.cwd()}, as Caffe does; beside the solver lies"
            f" another, {others[0]}: give its path in the solver if it is meant"
        )
    return path


def _is_there(path: str | Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)


def _are_equal(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other) or filecmp.cmp(one, other, shallow=False)
    except OSError:  # one cannot be read, which reading it will tell
        return True


class Making(NamedTuple):
    """How a solver makes its nets.

    solver_file  the file that the solver came from, empty if none did
    strict       refuse nets with extensions that Caffe does not read
    device, seed, keep, passes, folder   as for Net
    """

    solver_file: str
    strict: bool
    device: Device
    seed: int
    keep: str
    passes: Collection[str] | None
    folder: str | None

    def net(self, net: NetParameter, source: str, **options: Any) -> Net:
        """A net from this file."""
        making = {name: getattr(self, name) for name in ("device", "seed", "keep", "passes", "folder")}
        return Net(net, source=source, **making, **options)


def train_net(param: Message, making: Making) -> Net:
    """The training net, built."""
    net, source = training(param, making.solver_file, making.strict)
    field = next(f for f in TRAIN_NETS if param.HasField(f))
    place = f"specified in {field}." if field.endswith("_param") else f"from {field} file: {source}"
    log.info(f"Creating training net {place}")
    return making.net(net, source)


def test_nets(param: Message, making: Making, trained: Net) -> list[Net]:
    """The test nets, built on the parameters of the training net; for forward passes alone unless all blobs
    are kept."""
    general = "net_param" if param.HasField("net_param") else "net"
    fields = ["test_net_param"] * len(param.test_net_param) + ["test_net"] * len(param.test_net)
    built = []
    for i, (net, source) in enumerate(testing(param, making.solver_file, making.strict)):
        field = fields[i] if i < len(fields) else general
        place = field if field.endswith("_param") else f"{field} file: {source}"
        log.info(f"Creating test net (#{i}) specified by {place}")
        built.append(making.net(net, source, forward_only=making.keep != "all", share=trained))
    return built


def training(param: Message, solver_file: str, strict: bool = False) -> Source:
    """The training net in its state: exactly one of net, net_param, train_net and train_net_param says
    which."""
    given = [f for f in TRAIN_NETS if param.HasField(f)]
    if len(given) != 1:
        what = (
            f"{given} are all set" if given else "none of net, net_param, train_net, train_net_param is set"
        )
        field = given[-1] if given else ""
        raise ConfigError(what, hint='name the net to train: net: "train_test.prototxt"', field=field)
    net, source = _read(given[0], getattr(param, given[0]), solver_file, strict, tell=True)
    return _in_state(net, TRAIN, param.train_state), source


def testing(param: Message, solver_file: str, strict: bool = False) -> list[Source]:
    """The test nets in their states, numbered as in the log: test_net_param entries, test_net files, and the
    general net (net or net_param) once for each test_iter entry that is left.

    Raises ConfigError if the counts of test_iter, test_state and nets do not fit, or test_interval is
    missing.
    """
    sources = [
        _read(field, value, solver_file, strict, tell=True)
        for field in ("test_net_param", "test_net")
        for value in getattr(param, field)
    ]
    explicit, wanted = len(sources), len(param.test_iter)
    general = [(f, getattr(param, f)) for f in ("net", "net_param") if param.HasField(f)]
    if general and wanted > explicit:
        sources += [_read(*general[0], solver_file, strict)] * (wanted - explicit)
    if len(sources) != wanted:
        raise ConfigError(
            f"{wanted} test_iter entries for {len(sources)} test nets",
            hint="give one for each",
            field="test_iter" if wanted else "test_net" if param.test_net else "test_net_param",
        )
    if len(param.test_state) not in (0, len(sources)):
        what = f"{len(param.test_state)} test_state entries for {len(sources)} test nets"
        raise ConfigError(what, hint="give none, or one for each", field="test_state")
    if any(count < 0 for count in param.test_iter):
        what = f"test_iter must not be below 0; got {', '.join(map(str, param.test_iter))}"
        raise ConfigError(what, field="test_iter")
    if sources and param.test_interval <= 0:
        raise ConfigError(
            f"test_interval must be above 0 when there is a test net; got {param.test_interval}",
            hint="set test_interval",
            field="test_interval" if param.HasField("test_interval") else "test_iter",
        )
    states: Sequence[Message] = list(param.test_state) or [NetState()] * len(sources)
    return [(_in_state(net, TEST, state), file) for (net, file), state in zip(sources, states)]


def _read(
    field: str, value: str | NetParameter, solver_file: str, strict: bool, *, tell: bool = False
) -> Source:
    if isinstance(value, NetParameter):
        return value, solver_file
    path = find(value, solver_file, tell=tell)
    if not _is_there(path):
        beside = ", from the folder of the solver file and, by its name, in it" if solver_file else ""
        hint = f"looked from {Path.cwd()}{beside}"
        raise DataError(f"net {path!r} does not exist", hint=hint, field=field)
    return upgrade.read_net(path, strict=strict), path


def _in_state(net: NetParameter, phase: int, state: Message) -> NetParameter:
    """The net in the state {phase}, overridden by its own, overridden by the solver's."""
    merged = NetState(phase=phase)
    merged.MergeFrom(net.state)
    merged.MergeFrom(state)
    param = NetParameter()
    param.CopyFrom(net)
    param.state.CopyFrom(merged)
    return param
