"""Reports for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..printable import printable
from .check import Report, StateReport, totals
from .finding import ADVICE, NEEDS, SEVERITIES
from .table import aligned, amount, size, spelled, wrapped

TITLES = {"error": "Errors", "needs data": "Needs data", "warning": "Warnings", "advice": "Advice"}


def as_text(reports: Sequence[Report], width: int | None = None) -> str:
    """All reports, and the verdict on each, for a terminal of this width."""
    parts = ["\n".join(_lines(report, width)) for report in reports]
    return "\n\n".join([*parts, "\n".join(f"{report.file}: {verdict(report)}" for report in reports)])


def verdict(report: Report) -> str:
    counts = {severity: report.count(severity) for severity in SEVERITIES}
    named = [_counted(severity, count) for severity, count in counts.items() if count]
    return ", ".join(["ok" if report.ok else "NOT ok", *named])


def _counted(severity: str, count: int) -> str:
    if severity == NEEDS:
        return f"needs data in {count} {'place' if count == 1 else 'places'}"
    return f"{count} {severity if count == 1 or severity == ADVICE else severity + 's'}"


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    return {
        "files": [
            {
                "file": report.file,
                "kind": report.kind,
                "ok": report.ok,
                "states": [state_json(state) for state in report.states],
                "absent": report.absent,
                "findings": [finding._asdict() for finding in report.findings],
            }
            for report in reports
        ],
        **totals(list(reports)),
    }


def state_json(state: StateReport) -> dict[str, Any]:
    return {
        "name": state.name,
        "layers": [layer._asdict() for layer in state.layers],
        "parameters": state.parameters,
        "multiply_adds": state.multiply_adds,
        "bytes": {**state.bytes._asdict(), "total": state.bytes.total} if state.bytes else None,
    }


def _lines(report: Report, width: int | None) -> Iterator[str]:
    yield f"{report.file} ({report.kind})"
    for state in report.states:
        yield ""
        yield f"{state.name}:" if state.bytes else f"{state.name}: shapes are not known"
        if state.bytes:
            yield layer_table(state, width)
            yield from memory_lines(state, width)
    if report.absent:
        yield ""
    for name, why in report.absent.items():
        yield f"{name}: none, {why}"
    for severity in SEVERITIES:
        found = [finding for finding in report.findings if finding.severity == severity]
        if found:
            yield ""
            yield f"{TITLES[severity]}:"
        for finding in found:
            yield from wrapped(f"  {printable(str(finding))}", width)


def layer_table(state: StateReport, width: int | None = None) -> str:
    rows = [
        [
            layer.name,
            layer.type,
            spelled(layer.tops),
            amount(layer.parameters) if layer.parameters else "",
            "?"
            if layer.multiply_adds is None
            else amount(layer.multiply_adds)
            if layer.multiply_adds
            else "",
        ]
        for layer in state.layers
    ]
    rows.append(["total", "", "", amount(state.parameters), amount(state.multiply_adds)])
    head = ["layer", "type", "tops", "parameters", "multiply-adds"]
    return aligned(head, rows, "<<<>>", width=width, leaving=["type"])


def memory_lines(state: StateReport, width: int | None = None) -> Iterator[str]:
    b = state.bytes
    assert b is not None
    history = f", history {size(b.history)}" if b.history else ""
    yield f"parameters {size(b.parameters)}, gradients {size(b.gradients)}{history}"
    yield from wrapped(
        f"blobs: data {size(b.data)}, diff {size(b.diff)}; saved buffers {size(b.saved)}: of these"
        f" {size(b.own)} own memory, the rest planned into {size(b.planned)} (no plan below {size(b.floor)})",
        width,
    )
    yield f"peak {size(b.total)}"
