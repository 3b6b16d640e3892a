"""A verdict on a prototxt before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..data import datasets
from ..errors import MiniCaffeError
from ..proto import extensions
from ..proto.schema import NetParameter
from ..solvers.all_in_one import deployed
from . import rules
from .cost import Bytes, LayerCost, memory, per_layer
from .finding import ADVICE, ERROR, SEVERITIES, WARNING, Finding, from_error, merged
from .reading import Subject, read
from .rules.data import transforms_differ
from .shapes import outline
from .state import State, lines_of


@dataclass
class StateReport:
    """A state's costs; layers is empty and bytes None if its shapes are not known."""

    name: str
    layers: list[LayerCost] = field(default_factory=list)
    bytes: Bytes | None = None

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds or 0 for layer in self.layers)


@dataclass
class Report:
    """What is found out about one file; absent says why it has no net in a state."""

    file: str
    kind: str = "file"
    states: list[StateReport] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def ok(self) -> bool:
        return not self.count(ERROR)


def check(path: str, *, strict: bool = False, source: str | None = None) -> Report:
    """Everything that can be said of a net or solver prototxt without running it; raises nothing that is the
    file's fault.

    strict   extensions that Caffe does not read are errors
    source   the data of an all-in-one net that leaves it open
    """
    try:
        subject = read(path, source)
    except MiniCaffeError as error:
        return Report(path, findings=[from_error(error, path, "cannot_be_read")])
    report = Report(path, subject.kind, absent=dict(subject.absent))
    found: list[Finding] = list(_extensions(subject, strict))
    for state in subject.states:
        report.states.append(_state(state, subject, found))
    _deploy(subject, report, found)
    found += transforms_differ(subject.states)
    found += _solver(subject, path)
    report.findings = merged(found)
    return report


def _state(state: State, subject: Subject, found: list[Finding]) -> StateReport:
    """Costs of a state; what is found goes into `found`."""
    open_ends = list(_open(state)) if subject.kind == "all-in-one net" else []
    found += open_ends
    wrong = [f for rule in rules.BEFORE for f in rules.one(rule, state)]
    if not wrong and not open_ends:
        found += outline(state)
    found += rules.apply(state)
    if state.net is None:
        return StateReport(state.name)
    slots = subject.slots if state.trains else 0
    return StateReport(
        state.name, per_layer(state.net, [layer.type for layer in state.layers]), memory(state.net, slots)
    )


def _open(state: State) -> Iterator[Finding]:
    """Data that an all-in-one net leaves open."""
    for i in state.of_type("Data"):
        if not state.layers[i].data_param.source:
            what = "the source is left open, so shapes are not checked"
            remedy = "name data to check it with: --source TRAIN,VAL, or a named set"
            yield state.finding(ADVICE, i, what, remedy)._replace(rule="open_source")


def _deploy(subject: Subject, report: Report, found: list[Finding]) -> None:
    """The net that is written for use when an all-in-one net is trained."""
    first = subject.states[0]
    if subject.kind != "all-in-one net" or first.net is None:
        return
    param = deployed(first.param, first.net)
    report.absent.pop("deploy")
    if param is None:
        report.absent["deploy"] = "no layer speaks of stage deploy"
        return
    state = State("deploy", param, report.file, deploys=True)
    report.states.append(_state(state, subject, found))


def _extensions(subject: Subject, strict: bool) -> Iterator[Finding]:
    """Fields and values that Caffe does not read; those of a named data set, which is not for Caffe anyway,
    only if asked for strictly."""
    for message, file in subject.written:
        for path in extensions.used(message):
            what = f"{path} is an extension of minicaffe that Caffe does not read"
            remedy = "remove it if Caffe is to read the file"
            where, name = file, ""
            if isinstance(message, NetParameter) and (place := re.match(r"layer\[(\d+)\]\.(.*)", path)):
                i = int(place[1])
                if not strict and place[2].startswith("data_param."):
                    if message.layer[i].data_param.source in datasets.names():
                        continue
                line = lines_of(file, message)[i]
                where, name = f"{file}:{line}" if line else file, message.layer[i].name
                what = f"{place[2]} is an extension of minicaffe that Caffe does not read"
            yield Finding(ERROR if strict else ADVICE, "extension", where, name, what, remedy)


def _solver(subject: Subject, path: str) -> Iterator[Finding]:
    """What a solver says of the nets."""
    solver = subject.solver
    if solver is None:
        return

    def finding(severity: str, rule: str, what: str, remedy: str) -> Finding:
        return Finding(severity, rule, path, "", what, remedy)

    if not solver.base_lr:
        yield finding(WARNING, "no_rate", "base_lr is 0: nothing is learned", "base_lr: 0.01")
    if solver.max_iter <= 0:
        yield finding(WARNING, "no_iterations", "max_iter is 0: training ends at once", "set max_iter")
    tests = [state for state in subject.states if not state.trains]
    for state, iterations in zip(tests, solver.test_iter):
        for i in state.of_type("Data"):
            conf = state.layers[i].data_param
            if conf.source in datasets.names():
                name, _, split = conf.source.partition("/")
                samples = datasets.SETS[name].splits[split].samples
                seen = iterations * conf.batch_size
                if seen != samples:
                    what = f"a test sees {seen} samples: test_iter {iterations} times batch_size"
                    what += f" {conf.batch_size}; {conf.source} has {samples}"
                    remedy = "let the product be the number of samples"
                    yield finding(ADVICE, "part_of_test_set", what, remedy)


def totals(reports: list[Report]) -> dict[str, int]:
    """How many findings there are of each severity."""
    return {severity: sum(report.count(severity) for report in reports) for severity in SEVERITIES}
