"""What `timing` measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..device.base import Device
from ..net import PHASES, Net
from .table import aligned
from .timing import LayerTime, Spread, Throughput, Times, in_all

FORMAT = 1  # of the JSON
PACKAGES = ("numpy", "numba", "llvmlite")
HEAD = ["layer", "type", "top", "forward ms", "backward ms", "%"]
RATES = ["forward GFLOP/s", "GB/s", "backward GFLOP/s", "GB/s"]
LEAVING = [*reversed(RATES), "type", "top"]  # where the terminal is narrow
LEGEND = "ms: medians; %: of the total, which is measured over whole passes."
LEGEND_OF_RATES = "GFLOP/s: two operations per multiply-add; GB/s: blobs and parameters moved once."
LEGEND_OF_CELLS = "Empty: nothing to count; -: not known, or no backward runs."


def as_text(
    rows: Sequence[LayerTime], times: Times, *, slowest_first: bool = False, width: int | None = None
) -> str:
    """A row per layer, in all, then the passes with their quartiles; for a terminal of this width."""
    forward, backward = in_all(list(rows), times)
    whole_ms = forward.ms.median + backward.ms.median
    ordered = sorted(rows, key=lambda row: -row.ms) if slowest_first else rows
    lines = [_cells(row, whole_ms) for row in ordered]
    sums = [f"{forward.ms.median:.3f}", f"{backward.ms.median:.3f}", "100.0"]
    lines.append(["total", "", "", *sums, *_rates(forward), *_rates(backward)])
    passes = zip(
        ("forward pass", "backward pass", "both", "next batch, before"),
        (times.forward_pass, times.backward_pass, times.forward_pass + times.backward_pass, times.stage),
    )
    spreads = [(name, Spread.of(seconds)) for name, seconds in passes]
    footer = [[name, *(f"{ms:.3f}" for ms in (s.median, s.p25, s.p75, s.min))] for name, s in spreads]
    table = aligned(HEAD + RATES, lines, "<<<" + 7 * ">", width=width, leaving=LEAVING)
    of_rates = [LEGEND_OF_RATES] if RATES[0] in table else []
    legend = "\n".join([LEGEND, *of_rates, LEGEND_OF_CELLS])
    return "\n\n".join([table, aligned(["", "median ms", "p25", "p75", "least"], footer, "<>>>>"), legend])


def as_json(net: Net, rows: Sequence[LayerTime], times: Times) -> dict[str, Any]:
    """Machine, net and every layer; null for what is not known or does not run.  Times are per iteration."""
    forward, backward = in_all(list(rows), times)
    return {
        "format": FORMAT,
        "machine": machine(net.device),
        "net": {
            "file": net.source,
            "name": net.name,
            "phase": next(name for name, value in PHASES.items() if value == net.phase),
            "batch": batch(net),
        },
        "iterations": len(times.stage),
        "layers": [
            {
                "name": row.name,
                "type": row.type,
                "automatic": row.automatic,
                "tops": [list(shape) for shape in row.tops],
                **plain("forward", row.forward),
                **plain("backward", row.backward),
            }
            for row in rows
        ],
        "totals": {
            **plain("forward", forward),
            **plain("backward", backward),
            "forward_backward_ms": Spread.of(times.forward_pass + times.backward_pass)._asdict(),
            "stage_ms": Spread.of(times.stage)._asdict(),
            "all_ms": 1e3 * times.total,
        },
    }


def plain(way: str, work: Throughput | None) -> dict[str, Any]:
    return {
        f"{way}_ms": work.ms._asdict() if work else None,
        f"{way}_flops": work.flops if work else None,
        f"{way}_bytes": work.bytes if work else None,
    }


def _cells(row: LayerTime, whole_ms: float) -> list[str]:
    kind = f"{row.type} (automatic)" if row.automatic else row.type
    backward = f"{row.backward.ms.median:.3f}" if row.backward else "-"
    times = [f"{row.forward.ms.median:.3f}", backward, f"{100 * row.ms / whole_ms:.1f}"]
    return [row.name, kind, shapes(row.tops), *times, *_rates(row.forward), *_rates(row.backward)]


def shapes(tops: Sequence[tuple[int, ...]]) -> str:
    """64x10, "1" for a scalar, "2 of 64x10" for equal ones."""
    names = ["x".join(map(str, shape)) or "1" for shape in tops]
    return f"{len(names)} of {names[0]}" if len(names) > 1 and len(set(names)) == 1 else " ".join(names)


def _rates(work: Throughput | None) -> list[str]:
    return [rate(work and work.gflop_per_s), rate(work and work.gbyte_per_s)]


def rate(value: float | None) -> str:
    """Three significant digits."""
    if not value:
        return "-" if value is None else ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def machine(device: Device) -> dict[str, Any]:
    versions = {"minicaffe": __version__, "python": platform.python_version()}
    return {
        "cpu": _processor(),
        "system": platform.platform(),
        "device": device.name,
        "dtype": device.dtype.name,
        **device.describe(),
        "versions": versions | {name: metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def batch(net: Net) -> int | None:
    """Axis 0 of the first blob that comes from outside."""
    for layer, tops in zip(net.layers, net.tops):
        if layer.source and tops and tops[0].shape:
            return tops[0].shape[0]
    return None
