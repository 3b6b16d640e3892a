"""What was found of kernels, as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checking.table import aligned
from ..checking.timing import Spread
from ..checking.timing_report import machine, rate
from ..device.base import Device
from .algorithms import Found, Judged
from .report import FORMAT, folded, noted
from .roof import Roof
from .turns import disturbed

HEAD = ["", "median ms", "p25", "p75", "GFLOP/s", "of peak", "GB/s", "of bandwidth", "error"]
LEAVING = ["p75", "p25", "GB/s", "of peak"]  # where the terminal is narrow
LEGEND = [
    "The error is the largest difference from the plain loops in float64, by the array's largest value.",
    "GFLOP/s: two operations per multiply-add; GB/s: every array moved once, what is added to twice.",
    "The first row is what nets run; the others take turns with it.",
]


def as_text(found: Sequence[Found], roof: Roof, width: int | None = None) -> str:
    """A table per call of a kernel."""
    parts = []
    for one in found:
        rows, notes = [], []
        for judged in one.judged:
            if judged.record.error:
                notes.append(f"{judged.record.name}: {judged.record.error}")
            else:
                rows.append(_cells(one, judged, roof))
        title = f"{one.call.way}: {one.call.spec.name} {one.call.geometry}"
        table = aligned(HEAD, rows, "<" + 8 * ">", width=width, leaving=LEAVING)
        parts.append("\n".join([folded([title], width), table, folded(notes, width)]).rstrip())
    bounds = (
        f"The machine can do {roof.flops_per_s / 1e9:.0f} GFLOP/s, read {roof.read_bytes_per_s / 1e9:.1f}"
        f" GB/s and move {roof.moved_bytes_per_s / 1e9:.1f}; what lies in a cache moves faster."
    )
    busy = disturbed([judged.record for one in found for judged in one.judged])
    return "\n\n".join([*parts, folded([*LEGEND, bounds, *noted([busy] if busy else [])], width)])


def _cells(found: Found, judged: Judged, roof: Roof) -> list[str]:
    s = Spread.of(judged.record.seconds)
    flops = None if found.flops is None else found.flops / s.median / 1e6
    bandwidth = found.nbytes / s.median / 1e6
    cells = [judged.record.name, *(f"{ms:.3f}" for ms in (s.median, s.p25, s.p75))]
    cells += [rate(flops), "" if not flops else f"{100e9 * flops / roof.flops_per_s:.0f} %"]
    cells += [rate(bandwidth), f"{100e9 * bandwidth / roof.bytes_per_s:.0f} %"]
    return [*cells, "" if judged.error is None else f"{judged.error:.1e}"]


def as_json(found: Sequence[Found], device: Device, roof: Roof, what: str) -> dict[str, Any]:
    """Everything; times in ms, null for what is not known."""
    return {
        "format": FORMAT,
        "kind": "kernel",
        "machine": machine(device),
        "roof": roof.as_json(),
        "what": what,
        "calls": [
            {
                "kernel": one.call.spec.name,
                "way": one.call.way,
                "geometry": one.call.geometry,
                "flops": one.flops,
                "bytes": one.nbytes,
                "algorithms": [_algorithm(judged) for judged in one.judged],
            }
            for one in found
        ],
    }


def _algorithm(judged: Judged) -> dict[str, Any]:
    record = judged.record
    return {
        "name": record.name,
        "used": judged.used,
        "error": judged.error,
        "failed": record.error or None,
        "ms": Spread.of(record.seconds)._asdict() if record.blocks and not record.error else None,
    }
