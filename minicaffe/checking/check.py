"""A verdict on a prototxt before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..convert.deploy import Deployment, speaks_of_deployment
from ..data import datasets
from ..data.absent import Given
from ..errors import MiniCaffeError
from ..layers.user.module import forgetting
from ..proto import extensions, text
from ..proto.schema import Message, NetParameter
from . import rules
from .cost import Bytes, LayerCost, memory, per_layer
from .finding import ADVICE, ERROR, NEEDS, SEVERITIES, Finding, from_error, merged
from .reading import Subject, read
from .rules.data import transforms_differ
from .shapes import outline
from .solver import of_solver, refusals
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
    """What is found out about one file; absent says why it has no net in a state.

    allow_missing_data  data that is not here does not keep it from being ok
    """

    file: str
    kind: str = "file"
    states: list[StateReport] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    allow_missing_data: bool = False

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def ok(self) -> bool:
        return not self.count(ERROR) and (self.allow_missing_data or not self.count(NEEDS))


def check(
    path: str,
    *,
    strict: bool = False,
    source: str | None = None,
    shapes: Given | None = None,
    allow_missing_data: bool = False,
    cpu: bool = False,
) -> Report:
    """Everything that can be said of a net or solver prototxt without running it; raises nothing that is the
    file's fault.

    strict   extensions that Caffe does not read are errors
    source   the data of an all-in-one net that leaves it open
    shapes   of tops, by name, where data that would tell them is not here
    allow_missing_data  such data does not keep the file from being ok
    cpu      it would be trained on the CPU, whatever solver_mode says
    """
    try:
        subject = read(path, source)
    except MiniCaffeError as error:
        return Report(path, findings=[from_error(error, path, "cannot_be_read")])
    with forgetting(Path(path).parent):
        return _judged(subject, path, strict, shapes, allow_missing_data, cpu)


def _judged(
    subject: Subject, path: str, strict: bool, shapes: Given | None, allow_missing_data: bool, cpu: bool
) -> Report:
    report = Report(path, subject.kind, absent=dict(subject.absent), allow_missing_data=allow_missing_data)
    found: list[Finding] = list(_extensions(subject, strict))
    if not any(state.layers for state in subject.states):
        found.append(
            Finding(ERROR, "no_layers", path, "", "the net has no layers", "is this the right file?")
        )
    for state in subject.states:
        report.states.append(_state(state, subject, found, shapes))
    _deploy(subject, report, found)
    found += transforms_differ(subject.states)
    if subject.solver is not None:
        found += of_solver(subject, path)
        found += refusals(subject, path, cpu=cpu)
    report.findings = merged(found)
    return report


def _state(state: State, subject: Subject, found: list[Finding], shapes: Given | None = None) -> StateReport:
    """Costs of a state; what is found goes into `found`."""
    open_ends = list(_open(state)) if subject.kind == "all-in-one net" else []
    found += open_ends
    wrong = [f for rule in rules.BEFORE for f in rules.one(rule, state)]
    if not wrong and not open_ends:
        found += outline(state, shapes)
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
    report.absent.pop("deploy")
    if not speaks_of_deployment(first.param):
        report.absent["deploy"] = "no layer speaks of stage deploy"
        return
    try:
        param = Deployment(first.param, written=True, like=first.net).param
    except MiniCaffeError as error:
        found.append(from_error(error, report.file))
        return
    state = State("deploy", param, report.file, deploys=True)
    report.states.append(_state(state, subject, found))


def _extensions(subject: Subject, strict: bool) -> Iterator[Finding]:
    """Fields and values that Caffe does not read; those of a named data set, which is not for Caffe anyway,
    only if asked for strictly."""
    for read_as, file in subject.written:
        message = _as_written(read_as, file)
        for use in extensions.find(message):
            path = use.place
            what = f"{path} is {use.what} that Caffe does not read"
            remedy = "remove it if Caffe is to read the file"
            where, name = file, ""
            if isinstance(message, NetParameter) and (place := re.match(r"layer\[(\d+)\]\.(.*)", path)):
                i = int(place[1])
                if not strict and place[2].startswith("data_param."):
                    if datasets.named_part(message.layer[i].data_param.source):
                        continue
                line = lines_of(file, message)[i]
                where, name = f"{file}:{line}" if line else file, message.layer[i].name
                what = f"{place[2]} is {use.what} that Caffe does not read"
            yield Finding(ERROR if strict else ADVICE, "extension", where, name, what, remedy)


def _as_written(message: Message, file: str) -> Message:
    """A net or solver as its file says it, before layers were taken as others."""
    try:
        return text.read(file, type(message))
    except MiniCaffeError:  # it came from elsewhere
        return message


def totals(reports: list[Report]) -> dict[str, int]:
    """How many findings there are of each severity."""
    return {severity: sum(report.count(severity) for report in reports) for severity in SEVERITIES}
