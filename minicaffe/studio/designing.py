"""A verdict on the text of a net as the page shows it: the graph, what it costs, what is wrong.

Runs in the worker process "check": the text comes from whoever types it, and may be anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..checking.check import Report, check
from ..checking.cost import LayerCost, memory, of_backward, per_layer
from ..checking.finding import ERROR, Finding, from_error
from ..checking.reading import Subject, read
from ..checking.shapes import outline
from ..checking.state import State
from ..convert.deploy import Deployment
from ..drawing.picture import picture
from ..errors import ConfigError, MiniCaffeError
from ..proto import text as prototxt
from ..proto import upgrade
from ..proto.faults import TOKEN
from ..proto.schema import NetParameter, SolverParameter
from . import fixes, screen
from .netview import Place, view

PHASES = ("TRAIN", "TEST", "deploy")
NET, SOLVER = "net.prototxt", "solver.prototxt"
ABSENT = ".not-allowed-"  # with a number stands for files that may not be named
NAMED_NET = re.compile(r"""(?m)^(\s*)(net|train_net)(\s*:\s*)("[^"\n]*"|'[^'\n]*')""")


def verdict(text: str, phase: str, bounds: Mapping[str, Any], solver: str | None = None) -> dict[str, Any]:
    """The answer to POST /api/nets/check.

    ok        nothing keeps the net from running
    findings  as in fixes.py
    phases    which of TRAIN, TEST and deploy there are; absent: why the others are not
    graph     of the phase, or None if the text cannot be read: as netview.view
    cost      of the phase, or None if shapes are not known

    Raises ConfigError for another phase; nothing that is the texts' fault.
    """
    if phase not in PHASES:
        raise ConfigError(f"no phase {phase!r}", hint=f"phases: {', '.join(PHASES)}")
    answer: dict[str, Any] = {
        "ok": False, "kind": "net", "name": "", "phase": phase, "phases": [], "absent": {}, "findings": [],
        "graph": None, "cost": None,
    }  # fmt: skip
    with TemporaryDirectory(prefix="minicaffe-design-") as folder, _working_in(bounds["folder"]):
        file = Path(folder, NET)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            param = upgrade.read_net(file)
        except MiniCaffeError as error:
            answer["findings"] = _clean(fixes.of_text(text, error, "net"), folder)
            return answer
        allowed, refused, put = _screened(param, text, screen.limits(bounds), folder)
        if allowed is None:
            answer["findings"] = refused
            answer["graph"] = _unjudged(param, phase, text)
            return answer
        file.write_text(allowed, encoding="utf-8", errors="surrogatepass")
        _judge(answer, file, text, phase)
        answer["findings"] = refused + [each for each in answer["findings"] if ABSENT not in each["message"]]
        for node in answer["graph"]["nodes"]:
            for absent, name in put.items():
                node["lines"] = [line.replace(absent, name) for line in node["lines"]]
        if solver is not None:
            answer["findings"] += _clean(_of_solver(solver, Path(folder), screen.limits(bounds)), folder)
    answer["ok"] = not any(each["severity"] == ERROR for each in answer["findings"])
    return answer


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    """Names of files mean what they will mean to a run, which works in the workspace's folder."""
    before = Path.cwd()
    if Path(folder).is_dir():
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _screened(
    param: NetParameter, text: str, bounds: screen.Limits, folder: str
) -> tuple[str | None, list[dict[str, Any]], dict[str, str]]:
    """The text with names of files that are not there in the place of those it may not name, so that all else
    can be judged, or None if that is not enough; what was refused; and by the names put in those that stood
    there."""
    refusals = list(screen.refusals(param, bounds))
    lines, found = [line for _, line in prototxt.layer_starts(text)], []
    upgraded = len(param.layer) - len(lines)  # layers that the upgrade put in front
    for refusal in refusals:
        error = from_error(refusal.error, "", "not_allowed")
        found.append(fixes.of_finding(error, "net", [], text))
        if 0 <= refusal.layer - upgraded < len(lines):
            found[-1]["line"] = lines[refusal.layer - upgraded]
    if not all(refusal.file for refusal in refusals):
        return None, found, {}
    inert = {file: str(bounds.folder / f"{ABSENT}{n}") for n, file in enumerate({r.file for r in refusals})}

    def put(token: re.Match[str]) -> str:
        return f'"{inert[token[0][1:-1]]}"' if token[0][0] in "\"'" and token[0][1:-1] in inert else token[0]

    allowed = TOKEN.sub(put, text)
    file = Path(folder, NET)
    file.write_text(allowed, encoding="utf-8", errors="surrogatepass")
    if refusals and any(True for _ in screen.refusals(upgrade.read_net(file), bounds)):
        return None, found, {}
    return allowed, found, {absent: file for file, absent in inert.items()}


def network(text: str, phase: str | None, theme: str, bounds: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to POST /models/visualize-network: an SVG file of all layers, and the graph of a phase."""
    param = prototxt.parse(text, NetParameter, NET)
    upgrade.upgrade_net(param)
    drawn = picture(param, "svg", theme=theme).decode()
    return {"svg": drawn, "graph": verdict(text, phase or "TRAIN", bounds)["graph"]}


def _judge(answer: dict[str, Any], file: Path, text: str, phase: str) -> None:
    report, subject = check(str(file)), read(str(file))
    answer["kind"] = subject.kind
    answer["name"] = subject.written[0][0].name  # type: ignore[attr-defined]
    states = {_phase(state): state for state in subject.states}
    if "deploy" not in states and (deploy := _deployed(subject, report, answer)) is not None:
        states["deploy"] = deploy
    answer["phases"] = [name for name in PHASES if name in states]
    answer["absent"].update({k: v for k, v in report.absent.items() if k not in states})
    numbers = _numbers(text)
    named = dict(reversed(numbers))
    everything: list[tuple[int, Any]] = []
    for state in subject.states:
        everything += zip((index for index, _ in _places(state, numbers, named)), state.layers)
    answer["findings"] = _clean(
        [fixes.of_finding(found, "net", everything, text) for found in report.findings], str(file.parent)
    )
    state = states.get(phase) or next(iter(states.values()))
    answer["phase"] = _phase(state)
    outline(state)
    costs: list[LayerCost] = []
    if state.net is not None:
        costs = per_layer(state.net, [layer.type for layer in state.layers])
        answer["cost"] = _cost(state, costs)
    answer["graph"] = view(state.layers, _places(state, numbers, named), costs)


def _phase(state: State) -> str:
    return "deploy" if state.deploys else "TRAIN" if state.trains else "TEST"


def _numbers(text: str) -> list[tuple[str, Place]]:
    """Every layer of the text: its name, number and line."""
    return [(name, (i, line)) for i, (name, line) in enumerate(prototxt.layer_starts(text))]


def _places(state: State, numbers: Sequence[tuple[str, Place]], named: Mapping[str, Place]) -> list[Place]:
    """Where the layers of a state stand in the text: by their line, or by name where a line is not known."""
    by_line: dict[int, list[tuple[str, Place]]] = {}
    for name, place in numbers:
        by_line.setdefault(place[1], []).append((name, place))
    found = []
    for layer, line in zip(state.layers, state.lines):
        there = [place for name, place in by_line.get(line or 0, []) if name == layer.name]
        found.append(there[0] if there else named.get(layer.name, (-1, 0)))
    return found


def _deployed(subject: Subject, report: Report, answer: dict[str, Any]) -> State | None:
    """The net that would be written for use; None, with the reason in the answer, if there is none."""
    if any(finding.severity == ERROR for finding in report.findings):
        answer["absent"]["deploy"] = "it is made when the net has no errors"
        return None
    first = subject.states[0]
    if first.net is None:
        outline(first)
    try:
        param = Deployment(first.param, written=True, like=first.net).param
    except MiniCaffeError as error:
        answer["absent"]["deploy"] = str(error)
        return None
    return State("deploy", param, first.file, deploys=True)


def _unjudged(param: NetParameter, phase: str, text: str) -> dict[str, Any]:
    """The graph of a net that is only looked at, as it names what it may not."""
    copy = NetParameter()
    copy.CopyFrom(param)
    copy.state.phase = 1 if phase != "TRAIN" else 0
    state = State(phase, copy, "")
    numbers = _numbers(text)
    named = dict(reversed(numbers))
    return view(state.layers, _places(state, numbers, named), [])


def _cost(state: State, costs: Sequence[LayerCost]) -> dict[str, Any]:
    """What one pass takes.  `moved` is a lower bound of the bytes a step moves: every blob is written once
    and read once, forward and backward; parameters are read, their gradients written."""
    net = state.net
    assert net is not None
    taken = memory(net, slots=1 if state.trains else 0)
    backward = of_backward(net) if state.trains else 0
    batch = next((shape[0] for cost in costs for shape in cost.tops if shape), 0)
    return {
        "parameters": sum(cost.parameters for cost in costs),
        "forward": sum(cost.multiply_adds or 0 for cost in costs),
        "backward": backward,
        "untold": sum(cost.multiply_adds is None for cost in costs),
        "batch": batch,
        "bytes": {**taken._asdict(), "total": taken.total},
        "moved": 2 * (taken.data + taken.diff) + taken.parameters + 2 * taken.gradients + 2 * taken.history,
    }


def _of_solver(solver: str, folder: Path, bounds: screen.Limits) -> list[dict[str, Any]]:
    """What is wrong with a solver whose net is that of the page, whatever it names."""
    try:
        param = prototxt.parse(solver, SolverParameter, str(folder / SOLVER))
    except MiniCaffeError as error:
        return fixes.of_text(solver, error, "solver")
    try:
        inside = SolverParameter()
        inside.CopyFrom(param)
        for field in ("net", "train_net", "snapshot_prefix"):  # which a run has of its own
            inside.ClearField(field)
        screen.solver(inside, bounds)
    except MiniCaffeError as error:
        return [fixes.of_finding(from_error(error, SOLVER, "not_allowed"), "solver", [], solver)]
    named, count = NAMED_NET.subn(rf'\1net\3"{NET}"', solver)
    if not count:
        named += f'\nnet: "{NET}"\n'
    (folder / SOLVER).write_text(named, encoding="utf-8")
    found: list[Finding] = check(str(folder / SOLVER), cpu=True).findings
    return [
        fixes.of_finding(each, "solver", [], solver)
        for each in found
        if Path(each.where.split(":")[0]).name == SOLVER and each.rule != "no_snapshots"
    ]


def _clean(found: list[dict[str, Any]], folder: str) -> list[dict[str, Any]]:
    """Findings without the folder that only this process knows."""
    for each in found:
        for key in ("message", "hint"):
            each[key] = each[key].replace(f"{folder}/", "")
    return found
