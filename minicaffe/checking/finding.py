"""What a check finds."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import MiniCaffeError, Place

ERROR, NEEDS, WARNING, ADVICE = "error", "needs data", "warning", "advice"
SEVERITIES = (ERROR, NEEDS, WARNING, ADVICE)


class Finding(NamedTuple):
    """One thing to correct or to think over.

    severity  error: the net cannot run, or cannot do what it is for; needs data: nor can it here, as data
              that it names is not on this machine; warning: it will hardly do what was meant; advice: it
              might do better
    rule      the rule's name
    where     file:line, or the file
    layer     its name; "" if no single layer is meant
    states    the states of the net in which it holds
    """

    severity: str
    rule: str
    where: str
    layer: str
    what: str
    remedy: str
    states: tuple[str, ...] = ()

    def __str__(self) -> str:
        layer = f"{Place(layer=self.layer)}: " if self.layer else ""
        states = f" [{', '.join(self.states)}]" if self.states else ""
        remedy = f"; hint: {self.remedy}" if self.remedy else ""
        where = f"{self.where}: " if self.where else ""
        return f"{where}{layer}{self.what}{remedy}{states}"


def from_error(error: MiniCaffeError, file: str, rule: str = "cannot_be_built") -> Finding:
    """An exception as a finding: its first place is the file, perhaps with a line, a second one the layer."""
    places = list(error.places)
    where = str(places.pop(0)) if places and file and places[0].file == file else file
    layer = ""
    if places and places[0].layer is not None and not places[0].what:
        layer = places.pop(0).layer or ""
    return Finding(ERROR, rule, where, layer, ": ".join([*map(str, places), error.message]), error.hint)


def merged(findings: list[Finding]) -> list[Finding]:
    """Findings that differ by their states alone as one; by severity, then in the order of the rules."""
    states: dict[Finding, list[str]] = {}
    for finding in findings:
        known = states.setdefault(finding._replace(states=()), [])
        known += [state for state in finding.states if state not in known]
    result = [finding._replace(states=tuple(names)) for finding, names in states.items()]
    return sorted(result, key=lambda finding: SEVERITIES.index(finding.severity))
