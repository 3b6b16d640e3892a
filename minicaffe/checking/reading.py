"""From a prototxt to the states that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..core.layer import Layer
from ..graph.filter import takes_part
from ..layers import LAYERS, resolve
from ..proto import text, upgrade
from ..proto.schema import TEST, TRAIN, LayerParameter, Message, NetParameter, NetState, SolverParameter
from ..solvers import nets
from ..solvers.all_in_one import STATES, Wishes, complete, has_stages
from ..solvers.policy import Policy
from ..solvers.update_rules import resolve as resolve_rule
from .state import State

PHASES = {"TRAIN": TRAIN, "TEST": TEST}
NO_DATA = "no layer brings data in"


class Subject(NamedTuple):
    """What a file describes.

    kind     "net", "all-in-one net" or "solver"
    states   in which there is a net
    absent   why there is none in other states
    written  the messages, and the files that hold them
    solver   for kind "solver"
    slots    history arrays of the solver
    """

    kind: str
    states: list[State]
    absent: dict[str, str]
    written: list[tuple[Message, str]]
    solver: SolverParameter | None = None
    slots: int = 0


def read(path: str, source: str | None = None) -> Subject:
    """The subject of a net or solver prototxt; `source` fills in what an all-in-one net leaves open.

    Raises a MiniCaffeError for a file that cannot be read.
    """
    if not text.is_net(path):
        with text.in_file(path):
            return _solver(path)
    net = upgrade.read_net(path)
    return _all_in_one(net, path, source) if has_stages(net) else _net(net, path)


def _net(net: NetParameter, path: str) -> Subject:
    if net.state.HasField("phase"):
        name = "TRAIN" if net.state.phase == TRAIN else "TEST"
        return Subject("net", [State(name, net, path)], {}, [(net, path)])
    level, stage = net.state.level, net.state.stage
    nets = {
        name: _with_state(net, NetState(phase=phase, level=level, stage=stage))
        for name, phase in PHASES.items()
    }
    fed = [name for name, param in nets.items() if _is_fed(param)]
    with_data = [name for name in fed if _has_data(nets[name])]
    if fed and not with_data and "TEST" in fed and not _has_loss(nets["TEST"]):
        absent = dict.fromkeys(PHASES, NO_DATA)
        return Subject("net", [State("deploy", nets["TEST"], path, deploys=True)], absent, [(net, path)])
    # Without data it is fed from outside, without inputs it is wrong: rules tell.
    chosen = with_data or fed or list(PHASES)
    absent = {name: NO_DATA for name in PHASES if name not in chosen}
    if len(chosen) > 1 and not (_is_for_training(net) or _has_loss(nets["TRAIN"])):
        chosen, absent["TRAIN"] = ["TEST"], "there is no loss, and no layer is for training"
    if not any(layer.type == "Input" for layer in net.layer):
        absent["deploy"] = "no Input layers"
    states = [State(name, nets[name], path) for name in chosen]
    return Subject("net", states, absent, [(net, path)])


def _all_in_one(net: NetParameter, path: str, source: str | None) -> Subject:
    written = NetParameter()
    written.CopyFrom(net)
    if source:
        complete(net, Wishes(source=source))
    states = [
        State(name, _with_state(net, state), path) for name, state in STATES.items() if name != "deploy"
    ]
    absent = {"deploy": "it takes its inputs from training, whose shapes are not known"}
    return Subject("all-in-one net", states, absent, [(written, path)])


def _solver(path: str) -> Subject:
    solver = upgrade.read_solver(path)
    slots = resolve_rule(solver.type).slots
    Policy(solver)
    train, source = nets.training(solver, path)
    written = [(solver, path), *([] if source == path else [(train, source)])]
    states = [State("TRAIN", train, source, weights=bool(solver.weights))]
    tests = nets.testing(solver, path)
    for i, (net, file) in enumerate(tests):
        states.append(State("TEST" if len(tests) == 1 else f"TEST {i}", net, file))
        if file not in [name for _, name in written]:
            written.append((net, file))
    absent = {} if tests else {"TEST": "the solver has no test net"}
    return Subject("solver", states, absent, written, solver, slots)


def _with_state(net: NetParameter, state: NetState) -> NetParameter:
    param = NetParameter()
    param.CopyFrom(net)
    param.state.CopyFrom(state)
    return param


def _kinds(net: NetParameter) -> Iterator[tuple[LayerParameter, type[Layer]]]:
    taking_part = (layer for layer in net.layer if takes_part(layer, net.state))
    return ((layer, resolve(layer.type)) for layer in taking_part if layer.type in LAYERS)


def _is_for_training(net: NetParameter) -> bool:
    """Whether a layer's rules speak of training, or what a layer does is not known."""
    rules = (rule for layer in net.layer for rule in (*layer.include, *layer.exclude))
    return any(rule.HasField("phase") and rule.phase == TRAIN for rule in rules) or any(
        layer.type not in LAYERS for layer in net.layer
    )


def _is_fed(net: NetParameter) -> bool:
    """Whether a layer of the state brings something in, Input layers too."""
    return any(not layer.bottom for layer, _ in _kinds(net))


def _has_data(net: NetParameter) -> bool:
    return any(
        layer.type != "Input" and (kind.source or (layer.type == "Python" and not layer.bottom))
        for layer, kind in _kinds(net)
    )


def _has_loss(net: NetParameter) -> bool:
    return any(kind.loss_weight or any(layer.loss_weight) for layer, kind in _kinds(net))
