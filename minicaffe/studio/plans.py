"""From what a form asks for to the nets and solvers of one run, or of several: comma lists make a sweep.

The words are those of DIGITS' form of a classification model.  `net` and `solver` may be texts, which say
what the words leave out; without a solver there is one that trains for 30 epochs as `all_in_one.solver_for`
does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .. import zoo
from ..data.database import Database
from ..data.facts import backend, facts, parts
from ..errors import ConfigError, in_layer, locate
from ..graph.filter import takes_part
from ..log import number
from ..proto import text, upgrade
from ..proto.schema import (
    TEST,
    TRAIN,
    LayerParameter,
    Message,
    NetParameter,
    NetState,
    SolverParameter,
    enum_name,
)
from ..solvers import settings
from ..solvers.all_in_one import STATES, Wishes, complete, has_stages
from ..solvers.policy import Policy
from ..solvers.update_rules import RULES
from .follow import NET, SOLVER

EPOCHS, BATCH, RATE = 30, 64, 0.01
MOST_RUNS = 32  # of one sweep
LARGEST_TEST_BATCH = 100
ROWS_PER_EPOCH, LEAST_ROWS = 20, 200  # of metrics, where the solver says nothing of `display`
SOLVERS = {  # DIGITS' names
    name.upper(): name for name in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
} | {"NESTEROV": "Nesterov"}


class Plan(NamedTuple):
    """One run to be made: what tells it from the others of its sweep, its net, its solver, how many images
    training sees in an epoch (0: nobody knows) and in an iteration."""

    varied: dict[str, float]
    net: NetParameter
    solver: SolverParameter
    samples: int
    batch: int

    def name(self, given: str) -> str:
        """A name of its own for each run of a sweep."""
        short = {"learning_rate": "lr", "batch_size": "batch"}
        return "_".join([given, *(f"{short[key]}{number(value)}" for key, value in self.varied.items())])


def plans(
    body: dict[str, Any],
    source: str | None,
    allow: Callable[[NetParameter, SolverParameter], object] = lambda net, solver: None,
) -> list[Plan]:
    """The runs that a form asks for.

    source  the data set that it names, as a path or a known name
    allow   raises if the texts name what they may not; called before anything that they name is opened

    Raises a MiniCaffeError for texts that cannot be read, for values that are none, and for a data set that
    the net has no place for.
    """
    net, solver = _net(body), _solver(body)
    allow(net, solver)
    rates = numbers(body, "learning_rate") or [solver.base_lr]
    batches = numbers(body, "batch_size")
    for size in batches:
        if size != int(size) or size < 1:
            raise ConfigError(
                f"batch_size must be an integer above 0; got {number(size)}", field="batch_size"
            )
    if len(rates) * max(len(batches), 1) > MOST_RUNS:
        what = f"{len(rates)} rates and {len(batches)} batch sizes are more than {MOST_RUNS} runs"
        raise ConfigError(what, hint="give fewer")
    sizes: list[int | None] = [int(size) for size in batches] or [None]
    made = []
    for rate, batch in itertools.product(rates, sizes):
        varied = {"learning_rate": rate} if len(rates) > 1 else {}
        if batch is not None and len(batches) > 1:
            varied["batch_size"] = batch
        made.append(_plan(body, net, solver, source, rate, batch, varied))
    return made


def _plan(
    body: dict[str, Any],
    net: NetParameter,
    solver: SolverParameter,
    source: str | None,
    rate: float,
    batch: int | None,
    varied: dict[str, float],
) -> Plan:
    ours, theirs = NetParameter(), SolverParameter()
    ours.CopyFrom(net)
    theirs.CopyFrom(solver)
    theirs.base_lr = rate
    with locate(NET):
        _feed(ours, source, batch)
    states = _states(ours, theirs)
    train = next(_data_layers(ours, states["train"]), None)
    with locate(NET):
        samples = 0 if train is None else _samples(train)
    size = 0 if train is None else train.data_param.batch_size
    _set_lengths(body, theirs, samples / (size * theirs.iter_size) if samples and size else 0)
    with locate(NET):
        _set_tests(theirs, ours, states["val"])
    theirs.net = NET
    theirs.snapshot_prefix = "train"
    with locate(SOLVER):
        settings.check(theirs, trial=False)
        Policy(theirs)
    return Plan(varied, ours, theirs, samples, size * theirs.iter_size)


# -- what the form says


def _net(body: dict[str, Any]) -> NetParameter:
    written = body.get("net") or body.get("custom_network")
    if written is None:
        name = body.get("template") or body.get("standard_networks")
        if not isinstance(name, str) or not name:
            raise ConfigError("no net is given", hint="`net` is its text, `template` one of the package")
        folder, _, file = name.partition("/")
        entry = zoo.entry(folder)
        wanted = f"{file}.prototxt" if file else ""
        found = [path for path in entry.files if path.name == wanted or (not file and _trains(path.name))]
        if not found:
            raise ConfigError(f"{name}: the package has no such net", hint="minicaffe new lists them")
        net = upgrade.read_net(found[0])
    else:
        if not isinstance(written, str):
            raise ConfigError("net must be a text")
        net = text.parse(written, NetParameter, NET)
        with locate(NET):
            upgrade.upgrade_net(net, NET)
    if not net.layer:
        raise ConfigError("the net has no layers", hint="design one, or choose a template")
    return net


def _trains(name: str) -> bool:
    return name in ("all_in_one.prototxt", "train_test.prototxt", "train_val.prototxt")


def templates() -> list[str]:
    """The nets of the package that can be trained, as `template` names them."""
    return [
        f"{entry.name}/{path.stem}"
        for entry in zoo.entries().values()
        for path in entry.files
        if _trains(path.name)
    ]


def _solver(body: dict[str, Any]) -> SolverParameter:
    written = body.get("solver")
    if isinstance(written, str) and written.strip():
        solver = text.parse(written, SolverParameter, SOLVER)
        with locate(SOLVER):
            upgrade.upgrade_solver(solver, SOLVER)
        for field in ("net", "net_param", "train_net", "train_net_param", "test_net", "test_net_param"):
            solver.ClearField(field)
    else:
        solver = SolverParameter(base_lr=RATE, momentum=0.9, weight_decay=0.0005, lr_policy="step", gamma=0.1)
    for word, field, kind in FIELDS:
        if body.get(word) not in (None, ""):
            setattr(solver, field, kind(body, word))
    if not written and solver.type in RULES and not RULES[solver.type].has_momentum:
        solver.ClearField("momentum")
    return solver


def numbers(body: dict[str, Any], word: str) -> list[float]:
    """The numbers that a field holds: one, a list, or a text with commas; none if it is empty."""
    given = body.get(word)
    parts_ = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    found = []
    for part in parts_:
        if part is None or (isinstance(part, str) and not part.strip()):
            continue
        try:
            value = math.nan if isinstance(part, bool) else float(part)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(
                f"{word} must be numbers, separated by commas; got {str(part)[:40]!r}", field=word
            )
        if value not in found:
            found.append(value)
    return found


def _number(body: dict[str, Any], word: str) -> float:
    found = numbers(body, word)
    if len(found) != 1:
        raise ConfigError(f"{word} must be one number; got {str(body[word])[:40]!r}", field=word)
    return found[0]


def _integer(body: dict[str, Any], word: str) -> int:
    value = _number(body, word)
    if value != int(value) or not 0 <= value < 2**31:
        raise ConfigError(f"{word} must be an integer, 0 or more; got {number(value)}", field=word)
    return int(value)


def _policy(body: dict[str, Any], word: str) -> str:
    return str(body[word])


def _type(body: dict[str, Any], word: str) -> str:
    return SOLVERS.get(str(body[word]).upper(), str(body[word]))


# Words of the form, the fields of the solver that they set, and how they are read.
FIELDS: tuple[tuple[str, str, Callable[[dict[str, Any], str], Any]], ...] = (
    ("solver_type", "type", _type),
    ("lr_policy", "lr_policy", _policy),
    ("lr_step_gamma", "gamma", _number),
    ("lr_multistep_gamma", "gamma", _number),
    ("lr_exp_gamma", "gamma", _number),
    ("lr_inv_gamma", "gamma", _number),
    ("lr_sigmoid_gamma", "gamma", _number),
    ("lr_inv_power", "power", _number),
    ("lr_poly_power", "power", _number),
    ("rms_decay", "rms_decay", _number),
    ("batch_accumulation", "iter_size", _integer),
    ("random_seed", "random_seed", _integer),
)


# -- data


def _states(net: NetParameter, solver: SolverParameter) -> dict[str, NetState]:
    """The states in which the net is trained and tested."""
    if has_stages(net):
        if not solver.train_state.stage:
            solver.train_state.stage.append("train")
        if not solver.test_state:
            solver.test_state.add(stage=["val"])
        return STATES
    state = NetState()
    state.CopyFrom(solver.train_state)
    state.phase = TRAIN
    other = NetState()
    if solver.test_state:
        other.CopyFrom(solver.test_state[0])
    other.phase = TEST
    return {"train": state, "val": other}


def _data_layers(net: NetParameter, state: NetState) -> Iterator[LayerParameter]:
    return (layer for layer in net.layer if layer.type == "Data" and takes_part(layer, state))


def _feed(net: NetParameter, source: str | None, batch: int | None) -> None:
    """Let the net read this data set, in batches of this size."""
    states = STATES if has_stages(net) else _states(net, SolverParameter())
    train, val = (list(_data_layers(net, states[stage])) for stage in ("train", "val"))
    if source is not None and not train:
        raise ConfigError(
            "the net has no Data layer that a data set could be given to",
            hint="add one, or leave the data set out and let the net name its data",
        )
    if batch is not None and not train:
        raise ConfigError("the net has no Data layer whose batch_size could be set", field="batch_size")
    if source is not None:
        found = parts(source)
        for layers, names in ((train, ("train",)), (val, ("val", "test"))):
            there = next((found[name] for name in names if name in found), None)
            for layer in layers:
                if there is None:
                    raise ConfigError(
                        f"the data set has no part {' or '.join(names)}", hint="make one with it"
                    )
                layer.data_param.source = there
                layer.data_param.backend = getattr(layer.data_param, backend(there))
    for layer in train:
        if batch is not None or not layer.data_param.batch_size:
            layer.data_param.batch_size = batch or BATCH
    for layer in val:
        if source is not None or not layer.data_param.batch_size:
            if layer not in train:
                layer.data_param.batch_size = _fitting(_samples(layer), layer.data_param.batch_size)
    if has_stages(net):
        complete(net, Wishes(source=source))


def _fitting(samples: int, wanted: int) -> int:
    """A batch for tests that sees every sample once, if there is one of a fair size."""
    most = max(wanted, LARGEST_TEST_BATCH)
    divisor = next((size for size in range(min(most, samples), 0, -1) if samples % size == 0), 1)
    return divisor if divisor >= 16 or divisor == samples else (wanted or BATCH)


def _samples(layer: LayerParameter) -> int:
    conf = layer.data_param
    if not conf.source:
        return 0
    with in_layer(layer):
        kind = enum_name(conf, "backend")
        return len(Database(conf.source)) if kind == "LMDB" else facts(conf.source, kind).samples


# -- how long, and how often


def _set_lengths(body: dict[str, Any], solver: Message, epoch: float) -> None:
    """Iterations out of epochs; `epoch` is how many iterations one has, 0 if nobody knows."""

    def iterations(word: str, epochs: float) -> int:
        if epochs < 0:
            raise ConfigError(f"{word} must be 0 or more; got {number(epochs)}", field=word)
        if not epoch:
            what = f"{word} is in epochs, and nobody knows how many images the net's data has"
            raise ConfigError(what, hint="choose a data set, or give a solver with max_iter", field=word)
        return max(1, math.ceil(epochs * epoch - 1e-9)) if epochs else 0

    epochs = numbers(body, "train_epochs")
    if epochs or not solver.HasField("max_iter"):
        solver.max_iter = iterations("train_epochs", _number(body, "train_epochs") if epochs else EPOCHS)
    for word, field in (("val_interval", "test_interval"), ("snapshot_interval", "snapshot")):
        given = numbers(body, word)
        if given or not solver.HasField(field):
            setattr(solver, field, iterations(word, given[0] if given else 1) if given or epoch else 0)
    _set_steps(body, solver)
    if not solver.HasField("display"):
        solver.display = max(1, min(int(epoch / ROWS_PER_EPOCH), solver.max_iter // LEAST_ROWS))
    if not solver.HasField("keep_last") and solver.snapshot:
        solver.keep_last = 2


def _set_steps(body: dict[str, Any], solver: Message) -> None:
    """Where the rate falls, which DIGITS' form says in percent of the run."""
    for word, policies in (("lr_step_size", ("step",)), ("lr_sigmoid_step", ("sigmoid",))):
        given = numbers(body, word)
        if given and solver.lr_policy in policies:
            solver.stepsize = max(1, round(solver.max_iter * given[0] / 100))
    if solver.lr_policy == "step" and not solver.stepsize:
        solver.stepsize = max(1, math.ceil(solver.max_iter / 3))
    values = numbers(body, "lr_multistep_values")
    if values and solver.lr_policy == "multistep":
        solver.stepvalue[:] = sorted({max(1, round(solver.max_iter * value / 100)) for value in values})


def _set_tests(solver: Message, net: NetParameter, state: NetState) -> None:
    """How many batches a test has: all of the data, where that is known."""
    layer = next(_data_layers(net, state), None)
    if layer is None or not solver.test_interval:
        if not any(takes_part(other, state) and not other.bottom for other in net.layer):
            solver.ClearField("test_iter")
            solver.ClearField("test_interval")
        elif not solver.test_interval:
            solver.ClearField("test_iter")
            solver.ClearField("test_state")
        return
    if not solver.test_iter:
        solver.test_iter.append(math.ceil(_samples(layer) / layer.data_param.batch_size))
